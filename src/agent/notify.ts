/**
 * What the agent tells systemd of its service (sd_notify(3)): datagrams to the socket that NOTIFY_SOCKET
 * names. Node cannot send those, so systemd's own program does, which is there wherever the variable is set.
 */
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { runHook } from "./hooks.ts";

/** What one call may take. systemd-notify also waits until the service manager has read the message, which hung ones never do. */
export const NOTIFY_LIMIT_MS = 2_000;

export type NotifyField = "READY" | "STOPPING" | "STATUS";

export type NotifyOptions = {
  /** The agent's environment; without NOTIFY_SOCKET, nothing is told to anybody. */
  readonly env: NodeJS.ProcessEnv;
  /** The agent's process id: the service is its main process's, not that of systemd-notify. */
  readonly pid: number;
  readonly clock: Clock;
  readonly log: Log;
};

/**
 * `tell` sends fields, in order and never two calls at a time; what comes while one is under way goes
 * together, the latest of each. Resolves when all is sent or given up. Never fails: what goes wrong is
 * logged, once.
 */
export function openNotify({ env, pid, clock, log }: NotifyOptions) {
  const due = new Map<NotifyField, string>();
  const signal = new AbortController().signal;
  let sending: Promise<void> | null = null;
  let complained = false;

  const send = async (): Promise<void> => {
    while (due.size > 0) {
      const fields = [...due].map(([field, value]) => `${field}=${value}`);
      due.clear();
      const command = ["systemd-notify", `--pid=${pid}`, ...fields];
      const sent = await runHook(command, null, { clock, signal, env, limitMs: NOTIFY_LIMIT_MS });
      if (sent.ok || complained) continue;
      complained = true;
      log.warn({ error: sent.problem }, "could not notify systemd");
    }
    sending = null;
  };

  return {
    tell(fields: Readonly<Partial<Record<NotifyField, string>>>): Promise<void> {
      if (!env.NOTIFY_SOCKET) return Promise.resolve();
      // A line break would begin another field.
      for (const [field, value] of Object.entries(fields) as [NotifyField, string][])
        due.set(field, value.replace(/\s+/g, " "));
      sending ??= send();
      return sending;
    },
  };
}
export type Notify = ReturnType<typeof openNotify>;
