/** The flags that are the commands' own; the agent takes none of them but `-config`. */
import { CLIENT, COORDINATOR, COORDINATOR_CLIENT, DISCOVERY_SERVICE, STORE } from "./command.ts";
import { type Flag, rows } from "./flag.ts";

/** In the order of help, after the agent's. */
export const COMMAND_FLAGS: readonly Flag[] = [
  ...rows("command", CLIENT, {
    addr: {
      kind: "address",
      word: "HOST:PORT",
      defaultText: "-http-addr on this machine; with TLS, -http-adv-addr",
      meaning: "the agent to ask",
    },
    o: {
      key: "output",
      kind: "enum",
      word: "FORMAT",
      values: ["table", "json"],
      default: "table",
      lineOnly: true,
      commands: ["status", "explain", "discover", "provider list", "genesis show"],
      meaning: "for people, or for programs",
    },
  }),
  ...rows("command", ["status"], {
    check: {
      kind: "enum",
      word: "WHAT",
      values: ["live", "startup", "ready"],
      lineOnly: true,
      meaning: "print one word and answer by the exit code, 0 or 1: for health checks without curl",
    },
  }),
  ...rows("command", ["genesis init"], {
    "forget-leader": {
      word: "ID",
      lineOnly: true,
      meaning:
        "who the leader record of a database names that is gone for good: that record forbids nothing any more",
    },
  }),
  ...rows("command", ["genesis assume-lost"], {
    incarnation: {
      word: "ID",
      lineOnly: true,
      meaning: "the voter that is gone, as `rollcall explain` names it",
    },
  }),
  ...rows("command", ["genesis rebirth"], {
    genesis: {
      key: "old_genesis",
      word: "OLD_ID",
      lineOnly: true,
      defaultText: "required",
      meaning: "the genesis that is given up",
    },
    confirm: {
      word: "KEY",
      lineOnly: true,
      commands: [
        "leave",
        "genesis assume-lost",
        "genesis init",
        "genesis adopt",
        "genesis restore",
        "genesis rebirth",
      ],
      defaultText: "asked on a terminal",
      meaning: "the cluster's key once more, as confirmation",
    },
  }),
  ...rows("command", [...STORE, ...CLIENT, ...COORDINATOR, ...COORDINATOR_CLIENT, ...DISCOVERY_SERVICE], {
    config: {
      word: "FILE",
      meaning: "YAML or JSON with any of the flags that have an environment variable, named as in disco_mode",
    },
  }),
];
