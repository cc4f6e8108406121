/**
 * Virtual DNS: one name with the addresses of all machines. An answer comes in any order, may leave some out and say
 * nothing of it, may be an old one, or may say that there is no such name.
 */
import type { Provider } from "../../src/core/provider.ts";
import { RollcallError } from "../../src/lib/errors.ts";
import type { Life } from "./life.ts";
import type { World } from "./world.ts";

/** Earlier answers that may come again. */
const MOST_OLD = 8;

export type VirtualNames = {
  /** The resolver of one process. */
  open(life: Life): Provider;
};

/** `hosts` gives where all machines are now. */
export function virtualNames(
  { chance, weather, count }: World,
  hosts: () => readonly string[],
): VirtualNames {
  const old: (readonly string[])[] = [];

  const answer = (): readonly string[] => {
    const now = hosts();
    old.push(now);
    if (old.length > MOST_OLD) old.shift();
    if (chance.is(weather.noName)) {
      count("NXDOMAIN");
      throw new RollcallError("no_such_name", "agents.test: NXDOMAIN");
    }
    if (chance.is(weather.oldNames)) {
      count("names stale");
      return chance.pick(old);
    }
    if (!chance.is(weather.partial)) return now;
    count("names partial");
    return chance.shuffled(now).slice(0, chance.whole(0, now.length - 1));
  };

  return {
    open: (life) => ({
      mode: "dns",
      lookup: (signal) =>
        new Promise((resolve, reject) => {
          if (signal.aborted) return reject(signal.reason);
          signal.addEventListener("abort", () => reject(signal.reason), { once: true });
          life
            .perform("look for names", chance.between(0.5, 40), () => {
              const found = answer();
              const addresses = chance.shuffled(found).map((host) => `${host}:4100`);
              if (addresses.some((address, at) => address !== `${found[at]}:4100`))
                count("names in another order");
              return { kind: "complete" as const, addresses };
            })
            .then(resolve, reject);
        }),
      close: async () => {},
    }),
  };
}
