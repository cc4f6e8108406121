import { Config, open } from "../../providers/static.ts";
import { addressContract } from "./addresses.ts";

let addresses: readonly string[] = [];

addressContract("static", () => ({
  live: false,
  set: async (agents) => {
    addresses = agents;
  },
  open: () => open(Config.parse({ addresses })),
}));
