/**
 * Coordinators that differ from the shipped one in one place of the shell. The simulator must find each: one that it
 * does not find shows that its silence about the shipped coordinator says little.
 */
import { changedModule } from "../sim/mutants.ts";
import type { Program } from "./world.ts";

export type Mutant = {
  readonly file: string;
  /** Occurs once in the file. */
  readonly find: string;
  readonly replace: string;
  /** What the simulator says of it. */
  readonly caughtAs: RegExp;
};

const coordinator = (file: string) => `coordinator/${file}.ts`;

/** By what each does or leaves out. */
export const mutants: Readonly<Record<string, Mutant>> = {
  "memory is changed before the commit": {
    file: coordinator("known"),
    find: "    const events = await store.commit(commits).catch(",
    replace: `    for (const [one, { facts, marks }] of steps)
      if (facts !== null) one.cluster = { facts, marks, version: one.cluster?.version ?? 0, seq: one.cluster?.seq ?? 0 };
    const events = await store.commit(commits).catch(`,
    caughtAs: /I7|I1|knows another/,
  },
  "a refresh commits outside its turn": {
    file: coordinator("refresh"),
    find: "return deps.locks.inTurn([cluster.id], () => taken(cluster, observations, partial, deps));",
    replace: "return taken(cluster, observations, partial, deps);",
    caughtAs: /alone, and refused|I7/,
  },
  "a discovery commits outside the clusters' turns": {
    file: coordinator("discover"),
    find: "    await locks.inTurn([...ids], work);",
    replace: "    await work();",
    caughtAs: /alone, and refused|I7/,
  },
  "where agents stand is not committed": {
    file: coordinator("refresh"),
    find: "    if (old === undefined || old.boot_id !== boot_id || old.seq !== seq) return false;",
    replace: "    if (old === undefined || boot_id === undefined || seq === undefined) return false;",
    caughtAs: /I5|I7|truth: the place/,
  },
  "facts come in one commit and their events in another": {
    file: coordinator("known"),
    find: "    const events = await store.commit(commits).catch(",
    replace: `    const alone = commits.map((one) => (one.kind === "cluster" ? { ...one, changes: [] } : one));
    await store.commit(alone);
    const again = commits.map((one) => (one.kind === "cluster" ? { ...one, version: one.version + 1 } : one));
    const events = await store.commit(again).catch(`,
    caughtAs: /I1/,
  },
  "settings of a cluster are applied outside its turn": {
    file: coordinator("applying"),
    find: "deps.locks.inTurn(discoveries, () => deps.locks.inTurn(clusters, work));",
    replace: "deps.locks.inTurn(discoveries, work);",
    caughtAs: /memory/,
  },
  "a cluster of which nothing is left is kept": {
    file: coordinator("known"),
    find: "document === null && listers(id).length === 0) clusters.delete(id);",
    replace: "document === id) clusters.delete(id);",
    caughtAs: /memory/,
  },
  "records come in one commit and clusters in another": {
    file: coordinator("known"),
    find: "    const events = await store.commit(commits).catch(",
    replace: `    const first = commits.filter(({ kind }) => kind !== "cluster");
    if (first.length > 0 && first.length < commits.length) await store.commit(first);
    const events = await store.commit(first.length < commits.length ? commits.slice(first.length) : commits).catch(`,
    caughtAs: /I7|truth/,
  },
  "nothing is read back after an unknown outcome": {
    file: coordinator("known"),
    find: `new Set(["store_unknown", "fenced"])`,
    replace: `new Set(["fenced"])`,
    caughtAs: /alone, and refused|I7/,
  },
  "what could not be read back is believed": {
    file: coordinator("doubts"),
    find: "      if (failed !== undefined) throw failed.reason;",
    replace:
      "      if (failed !== undefined) doubts.clear();\n      if (failed !== undefined) throw failed.reason;",
    caughtAs: /alone, and refused|I7/,
  },
  "nothing is read back later but where somebody acts on it": {
    file: coordinator("coordinator"),
    find: "        (until) => settle({ doubts: known.doubts, locks, pacing: deps.pacing, log }, until),\n",
    replace: "",
    caughtAs: /memory|I9/,
  },
  "a cluster is refreshed by what was listed before": {
    file: coordinator("doubts"),
    find: "    if (doubts.size === 0) return;\n",
    replace: "    return;\n",
    caughtAs: /I7|I11|truth/,
  },
  "a cluster is refreshed twice at once": {
    file: coordinator("locks"),
    find: "      if (held.has(id)) return null;\n",
    replace: "",
    caughtAs: /refreshed twice at once/,
  },
  "the lock is given back before all have answered": {
    file: coordinator("refresh"),
    find: "await Promise.allSettled(record.nodes.map(poll));",
    replace: `(await Promise.all(record.nodes.map(poll))).map((value) => ({ status: "fulfilled", value }) as PromiseSettledResult<Observation>);`,
    caughtAs: /refreshed twice at once|I10/,
  },
  "two looks at one inventory at once": {
    file: coordinator("discover"),
    find: "  return locks.inTurn([turn], () => lookAndTake(name, accept, deps));",
    replace: "  return lookAndTake(name, accept, deps);",
    caughtAs: /looked at twice at once/,
  },
  "every node that was ever listed is polled": {
    file: coordinator("refresh"),
    find: "  const polls = await Promise.allSettled(record.nodes.map(poll));",
    replace: `  const old = (cluster.cluster?.facts.nodes ?? []).map(({ agent_addr }) => agent_addr);
  const more = old.filter((one) => !record.nodes.some(({ agent_addr }) => agent_addr === one));
  const nodes = [...record.nodes, ...more.map((agent_addr) => ({ agent_addr, secure: false, node_id: null, incarnation: null }))];
  const polls = await Promise.allSettled(nodes.map(poll));`,
    caughtAs: /I11/,
  },
  "what a discovery lists is believed, however little": {
    file: coordinator("discover"),
    find: "taken({ discovery: name, listing, accept, records, facts });",
    replace: "taken({ discovery: name, listing, accept: true, records, facts });",
    caughtAs: /suspicion/,
  },
  "who is away is taken for gone": {
    file: "core/listing.ts",
    find: "  if (listing.leased && found !== null) return",
    replace: "  if (listing.leased && found === old) return",
    caughtAs: /leases/,
  },
  "a run that finds no room is left out without a word": {
    file: coordinator("scheduler"),
    find: "        counts.queueFull++;\n",
    replace: "",
    caughtAs: /I9/,
  },
  "records are kept in memory only": {
    file: coordinator("discover"),
    find: `: [...beside, { kind: "discovery", name, records, changes: [], at: clock.wall() }];`,
    replace: ": [...beside];",
    caughtAs: /I7|I11|truth/,
  },
  "what went and came back is not told": {
    file: coordinator("refresh"),
    find: "facts === old.facts && seen.path.length <= 1 && seen.gaps.length === 0;",
    replace: "facts === old.facts && seen.gaps.length === 0;",
    caughtAs: /I7/,
  },
  "a fence is asked for only once, by whoever came first": {
    file: coordinator("known"),
    find: "const fence = clusters.get(id)?.fence ?? (await store.fence(id));",
    replace: "const fence = clusters.get(id)?.fence ?? 1;",
    caughtAs: /I4|alone, and refused|truth/,
  },
  "a failed refresh counts": {
    file: coordinator("known"),
    find: '      if (!UNSURE.has(codeOf(error) ?? "")) throw error;',
    replace: `      if (!UNSURE.has(codeOf(error) ?? "")) {
        for (const [one, { facts, marks }] of steps)
          if (facts !== null && one.cluster !== null) one.cluster = { ...one.cluster, facts, marks };
        throw error;
      }`,
    caughtAs: /I7|I1|knows another/,
  },
  "a run that was missed is left out": {
    file: coordinator("scheduler"),
    find: "const nextAt = kept > time() + intervalMs ? nextAfter(time(), intervalMs, key) : Math.max(kept, time());",
    replace: 'const nextAt = at === "now" ? Math.max(kept, time()) : kept + 3_600_000;',
    caughtAs: /I9|truth/,
  },
  "a clock that was put back puts runs off": {
    file: coordinator("scheduler"),
    find: "kept > time() + intervalMs ? nextAfter(time(), intervalMs, key) : Math.max(kept, time());",
    replace: "intervalMs > 0 ? Math.max(kept, time()) : nextAfter(time(), intervalMs, key);",
    caughtAs: /I9/,
  },
  "an old answer of an agent counts": {
    file: "core/observe-node.ts",
    find: "  return marks.boot_id === boot_id ? seq < marks.seq : (marks.earlier?.includes(boot_id) ?? false);",
    replace: "  return marks.boot_id === boot_id && seq < marks.seq - 1_000;",
    caughtAs: /I5|I7/,
  },
};

/** The coordinator with one change. Throws where the text to be changed is not there once. */
export async function mutantProgram(mutant: Mutant): Promise<Program> {
  return (await changedModule(mutant, coordinator("coordinator"))) as Program;
}
