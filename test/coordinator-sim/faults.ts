/** All that may go wrong here, by name: what a schedule hit is counted by these. */
export const kinds = [
  "killed before the store did it",
  "killed after the store did it",
  "killed at another call",
  "stopped in order",
  "paused",
  "a paused one comes back beside its successor",
  "its commit was refused by the fence",
  "the wall clock jumped",
  "the store failed",
  "the store failed, and had done it",
  "the store failed, and nobody knew whether",
  "the store was slow",
  "the store could not be read",
  "this machine could not ask",
  "an agent restarted",
  "a disk was replaced",
  "an agent moved",
  "an agent was refused",
  "an agent was silent",
  "an agent was slow",
  "an answer of an earlier state",
  "an agent of another cluster",
  "an agent with another node's id",
  "an agent with another genesis",
  "nothing changed, it said of a state never told",
  "a status changed",
  "the leader changed",
  "a role flipped between two polls",
  "a node was added",
  "a node was unlisted",
  "a cluster was unlisted",
  "two discoveries list one cluster",
  "an inventory failed",
  "an inventory never answered",
  "an inventory was late",
  "an inventory listed nothing",
  "an inventory listed less than half",
  "an inventory was partial",
  "a lease ran out",
  "a node was retired",
  "the queue was full",
  "settings changed",
  "settings deleted",
  "a cluster was disabled",
  "a discovery was disabled",
  "a discovery was deleted",
  "a refresh was asked for",
  "a discovery was asked for",
  "a suspect listing was accepted",
  "all agents were silent",
] as const;
export type Kind = (typeof kinds)[number];

/** Counts what took effect. */
export type Tally = { hit(kind: Kind): void; readonly counts: ReadonlyMap<Kind, number> };

export function openTally(): Tally {
  const counts = new Map<Kind, number>();
  return { counts, hit: (kind) => void counts.set(kind, (counts.get(kind) ?? 0) + 1) };
}
