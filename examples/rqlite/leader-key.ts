/** The leader key as it stands in the store, read as any other program would. */
import { providers } from "../../providers/index.ts";
import { decode, LeaderRecord } from "../../src/core/model.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { fileCache } from "../../src/lib/files.ts";

export type LeaderKey = {
  /** The record; null: absent, or not readable. */
  read(signal: AbortSignal): Promise<LeaderRecord | null>;
  close(): Promise<void>;
};

/** A reader for the store that an agent with these flags meets the others in. */
export async function openLeaderKey(flags: readonly string[], clock: Clock): Promise<LeaderKey> {
  const given = (flag: string) => flags[flags.indexOf(flag) + 1] ?? "";
  const mode = given("-disco-mode") === "etcd-kv" ? "etcd-kv" : "consul-kv";
  const { Config, open } = await providers[mode]();
  const provider = await open(Config.parse(JSON.parse(given("-disco-config"))), {
    key: given("-disco-key"),
    now: clock.wall,
    file: fileCache(),
    uuid: () => crypto.randomUUID(),
  });
  return {
    async read(signal) {
      const { leader } = await provider.lookup(signal);
      const record = leader ? decode(LeaderRecord, leader.value) : null;
      return record?.ok ? record.value : null;
    },
    close: () => provider.close(),
  };
}
