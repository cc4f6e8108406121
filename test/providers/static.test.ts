import { describe, expect, it } from "vitest";
import * as staticMode from "../../providers/static.ts";
import { patient } from "../contract/stage.ts";
import { opener, problemOf } from "./opener.ts";

const open = opener(staticMode);

describe("static", () => {
  it("gives the agents in their canonical form, with port 4100 where there is none, each once", async () => {
    const addresses = ["N1.example", "10.0.0.1:4200", "[0:0::1]", "n1.example:4100", "[::1]:4100"];
    const provider = await open({ addresses });
    expect(await provider.lookup(patient())).toEqual({
      kind: "complete",
      addresses: ["n1.example:4100", "10.0.0.1:4200", "[::1]:4100"],
    });
  });

  it("gives none where there is none, which is a single node", async () => {
    expect(await (await open({ addresses: [] })).lookup(patient())).toEqual({
      kind: "complete",
      addresses: [],
    });
  });

  it.each([
    [{}, "addresses: Invalid input: expected array, received undefined"],
    [{ addresses: ["a:0"] }, "addresses.0: must have a port from 1 to 65535"],
    [
      { addresses: ["::1"] },
      "addresses.0: must be host:port, with an IPv6 address in brackets, as in [::1]:4100",
    ],
    [{ addresses: [], name: "x" }, ': Unrecognized key: "name"'],
  ])("refuses %j", (config, problem) => {
    expect(problemOf(staticMode.Config, config)).toBe(problem);
  });
});
