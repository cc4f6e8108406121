/** `rollcall provider list`, against what the modes are when they are opened. */
import { describe, expect, it } from "vitest";
import { providers } from "../../providers/index.ts";
import { ABILITIES } from "../../src/cli/provider.ts";
import { contextFor } from "../contract/stage.ts";
import { rollcall } from "./fake-io.ts";

/** The least that each mode's configuration needs. */
const LEAST: Readonly<Record<string, object>> = {
  disco: { url: "http://127.0.0.1:1", id: "orders" },
  file: { path: "agents.yaml" },
  http: { url: "http://127.0.0.1:1/" },
  static: { addresses: [] },
};

describe("provider list", () => {
  it("prints every mode in a table", async () => {
    const { code, out, err } = await rollcall(["provider", "list"]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatchInlineSnapshot(`
      "MODE            ADDRESSES  WATCH  MEMBERS  REGISTER  LEADER KEY  STORE
      consul-kv       yes        yes    yes      yes       yes         yes
      etcd-kv         yes        yes    yes      yes       yes         yes
      disco           yes        yes    yes      yes       yes         yes
      dns             yes        -      -        -         -           -
      dns-srv         yes        -      -        -         -           -
      consul-service  yes        yes    -        -         -           -
      file            yes        yes    -        -         -           -
      http            yes        -      -        -         -           -
      static          yes        -      -        -         -           -
      "
    `);
  });

  it("prints JSON", async () => {
    const { out } = await rollcall(["provider", "list", "-o=json"]);
    const modes = JSON.parse(out) as { mode: string }[];
    expect(modes.map(({ mode }) => mode)).toEqual(Object.keys(providers));
    expect(modes.find(({ mode }) => mode === "consul-service")).toEqual({
      mode: "consul-service",
      flag: "-disco-mode=consul-service",
      addresses: true,
      watch: true,
      members: false,
      register: false,
      leader_key: false,
      store: false,
    });
    expect(modes.at(-1)).toMatchObject({ mode: "static", flag: "-join" });
  });

  it("takes no flag of discovery", async () => {
    const { code, err } = await rollcall(["provider", "list", "-disco-mode=dns"]);
    expect([code, err]).toEqual([2, expect.stringMatching(/^rollcall: -disco-mode: [^\n]*\n$/)]);
  });

  it.each(Object.entries(providers))("says of %s what it has", async (mode, load) => {
    const { Config, open } = await load();
    const provider = await open(Config.parse(LEAST[mode] ?? {}), contextFor("orders"));
    await provider.close();
    expect(provider.mode).toBe(mode);
    expect(Object.entries(ABILITIES).find(([name]) => name === mode)?.[1]).toEqual({
      addresses: true,
      watch: provider.watch !== undefined,
      members: provider.members !== undefined,
      register: provider.genesis !== undefined,
      leader_key: provider.leaderKey !== undefined,
    });
  });
});
