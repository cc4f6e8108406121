/** Agreeing through a store: its record, this node's entry in its directory, and watching what changes there. */
import type { Member } from "../core/model.ts";
import type { Lookup, Members } from "../core/provider.ts";
import { RollcallError } from "../lib/errors.ts";
import { openGenesis } from "./genesis.ts";
import type { Looks } from "./native.ts";
import { openRegistration } from "./registration.ts";
import { openStoreWatch } from "./watch.ts";
import type { Way, WayOptions } from "./way.ts";

export type ByStoreOptions = WayOptions & {
  /** This node's entry in the directory as it should be now. */
  readonly entry: () => Member;
  readonly database: Looks | null;
  /** One look at the store. */
  readonly looked: (lookup: Lookup) => void;
};

export async function openByStore(options: ByStoreOptions): Promise<Way> {
  const { pacing, peers, part, self, changed } = options;
  let noticed = "";
  let directory: Members | null = null;
  const genesis = await openGenesis({
    ...options,
    registered: () => registration.state().at === "held",
  });
  const registration = openRegistration({
    pacing,
    log: part("registration"),
    entry: options.entry,
    hello: (address, signal) => peers.ask(address, signal),
    changed() {
      const now = registration.state();
      store.heard(now.at === "failing" ? now.problem : null);
      changed();
      genesis.wake();
    },
  });
  const store = openStoreWatch({
    pacing,
    log: part("store"),
    seen: notice,
    lost() {
      genesis.wake();
      changed();
    },
  });
  return {
    genesis,
    registration: registration.state,
    health: store.health,
    discovery: () => null,
    refresh: registration.refresh,
    met({ from }) {
      if (peers.meet(from) && genesis.state().settled === null) genesis.wake();
    },
    strayed() {},
    vote: null,
    assumeLost: null,
    tasks(provider) {
      const { genesis: register, members } = provider;
      if (register === undefined || members === undefined)
        throw new RollcallError("usage", `-disco-mode: ${provider.mode} keeps no genesis record`);
      directory = members;
      return [
        (s) => genesis.run({ provider, register }, s),
        (s) => registration.run(members, s),
        (s) => store.run(provider, s),
        (s) => peers.survey(s),
      ];
    },
    present: () => peers.members().map((m) => m.id),
    farewell: async ({ members }, signal) => members?.withdraw(signal),
    // Before the entry goes: between the two it is still listed, and afterwards nobody waits for it.
    leave: async (signal) => directory?.retire?.(self(), signal),
  };

  /** What one look at the store changes here. */
  function notice(lookup: Lookup): void {
    const members = lookup.members ?? [];
    const text = JSON.stringify(members);
    // Compared with what was noticed: a round of asking looks at the members as well, and tells nobody.
    const news = text !== noticed;
    noticed = text;
    peers.see(members);
    const { seen, phase } = genesis.state();
    const moved = (lookup.genesis?.revision ?? null) !== (seen?.at.revision ?? null);
    // A settled node cares for its record only; one that still waits cares for everybody who comes or goes.
    if (moved || (news && phase.at !== "open")) genesis.wake(true);
    if (news && !members.some((m) => m.incarnation === self().incarnation)) registration.lost();
    options.looked(lookup);
  }
}
