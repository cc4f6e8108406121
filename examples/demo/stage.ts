/** What a story on the terminal is played on: its processes, its folder and its screen, and how it ends whatever happens. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import { codeOf, RollcallError, reason } from "../../src/lib/errors.ts";
import { type Children, openChildren } from "./children.ts";
import { freePorts, type Ports } from "./ports.ts";
import { childEnv, endingOf, screenSince } from "./process.ts";
import type { Screen } from "./screen.ts";
import { openWait, type Wait } from "./wait.ts";

export type Stage = {
  readonly clock: Clock;
  /** A folder that goes in the end. */
  readonly dir: string;
  readonly ports: Ports;
  readonly children: Children;
  readonly wait: Wait;
  readonly screen: Screen;
  /** Closes this when every process has ended, whatever happened before. */
  readonly atEnd: (close: () => Promise<void>) => void;
  /** Ends what children have left, at once, where the process exits before it can close anything. */
  readonly atExit: (kill: () => void) => void;
};

export type Show = {
  /** As it calls itself where something failed. */
  readonly name: string;
  readonly title: string;
  readonly about: string;
  /** How many columns a name in the story takes. */
  readonly who: number;
  readonly pace: number;
};

/** The exit code of a story: its own, else 1, or 2 where it was asked for something wrong, with one line why. */
export async function exitCodeOf(name: string, tell: () => Promise<number>): Promise<number> {
  try {
    return await tell();
  } catch (error) {
    process.stderr.write(`${name}: ${reason(error)}\n`);
    return codeOf(error) === "usage" ? 2 : 1;
  }
}

/** Sets the stage, plays, and clears up whatever happens. Gives the exit code. */
export async function perform(show: Show, play: (stage: Stage) => Promise<void>): Promise<number> {
  const clock = systemClock;
  const began = clock.now();
  const ending = endingOf();
  // The path of a socket in it is short: the agents lock their directories with one.
  const dir = mkdtempSync(join(tmpdir(), "rollcall-"));
  const children = openChildren({ env: childEnv(), failed: (error) => ending.abort(error) }, clock);
  const clear = () => rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  const kills: (() => void)[] = [];
  process.once("exit", () => {
    children.killAll();
    // What they need for it is in the folder.
    for (const kill of kills) kill();
    clear();
  });
  const wait = openWait({ clock, signal: ending.signal, pace: show.pace });
  const screen = screenSince(began, show.who);
  const closing: (() => Promise<void>)[] = [];
  try {
    screen.title(show.title, show.about);
    const ports = await freePorts(process.pid);
    const atEnd = (close: () => Promise<void>) => void closing.push(close);
    const atExit = (kill: () => void) => void kills.push(kill);
    await play({ clock, dir, ports, children, wait, screen, atEnd, atExit });
    return 0;
  } catch (error) {
    return tell(show.name, ending.signal.aborted ? ending.signal.reason : error, screen);
  } finally {
    await children.endAll();
    for (const close of closing) await close();
    clear();
  }
}

/** Says why it ended early, and gives the exit code. */
function tell(name: string, error: unknown, screen: Screen): number {
  const facts = error instanceof RollcallError ? error.facts : {};
  if (typeof facts.exitCode === "number") {
    // The terminal has written ^C at the beginning of the line.
    if (process.stdout.isTTY) process.stdout.write("\r");
    if (codeOf(error) === "interrupted") screen.event("all", "interrupted: everything ends now");
    return facts.exitCode;
  }
  const log = String(facts.log ?? "");
  process.stderr.write(`${name}: ${reason(error)}${log === "" ? "" : `; the end of its log:\n${log}`}\n`);
  return 1;
}
