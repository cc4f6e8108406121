/** What all parts of one simulated world share. */
import type { Log } from "../../src/lib/log.ts";
import { type Chance, chanceOf } from "./chance.ts";
import { fairWeather, type Kind, type Weather } from "./faults.ts";
import { type Time, virtualTime } from "./time.ts";

export type World = {
  readonly time: Time;
  readonly chance: Chance;
  readonly weather: Weather;
  /** A fault has taken effect. */
  count(kind: Kind): void;
  /** Something happened: it goes into the trace, and into its hash. */
  note(what: string, detail: string): void;
  /** Whether nothing goes from one place to the other now. */
  isCut(from: string, to: string): boolean;
  readonly log: Log;
};

export type Trace = {
  readonly world: Omit<World, "isCut">;
  readonly counts: ReadonlyMap<Kind, number>;
  /** Of all that happened and when, in hexadecimal. */
  hash(): string;
};

/** A world in which nothing has happened. `print` gets every line of the trace and of the agents' logs. */
export function newWorld(seed: number, print: ((line: string) => void) | null): Trace {
  const time = virtualTime();
  const counts = new Map<Kind, number>();
  let hash = 0x811c9dc5;
  const note = (what: string, detail: string) => {
    const line = `${time.now().toFixed(3)} ${what} ${detail}`;
    for (let at = 0; at < line.length; at++) hash = Math.imul(hash ^ line.charCodeAt(at), 0x01000193);
    print?.(line);
  };
  return {
    world: {
      time,
      chance: chanceOf(seed),
      weather: fairWeather(),
      count(kind) {
        counts.set(kind, (counts.get(kind) ?? 0) + 1);
        note("fault", kind);
      },
      note,
      log: print === null ? silent : printing(print, () => time.now(), {}),
    },
    counts,
    hash: () => (hash >>> 0).toString(16).padStart(8, "0"),
  };
}

const silent = quiet();

/** Costs nothing, where a real log would format what nobody reads. */
function quiet(): Log {
  const nothing = () => {};
  const log = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => log };
  return log as unknown as Log;
}

function printing(print: (line: string) => void, now: () => number, fields: object): Log {
  const at = (level: string) => (more: object, message: string) =>
    print(`${now().toFixed(3)}   ${level} ${message} ${JSON.stringify({ ...fields, ...more })}`);
  const child = (more: object) => printing(print, now, { ...fields, ...more });
  const log = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error"), child };
  return log as unknown as Log;
}
