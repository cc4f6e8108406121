/** The flags of the coordinator, and of the commands that ask one. Some have the name and the key of an agent's. */
import { COORDINATOR, COORDINATOR_CLIENT } from "./command.ts";
import { UNUSED } from "./discovery-service-flags.ts";
import { type Flag, rows } from "./flag.ts";

const HOUR_MS = 3_600_000;

/** In the order of help. */
export const COORDINATOR_FLAGS: readonly Flag[] = [
  ...rows("coordinator", COORDINATOR, {
    "http-addr": {
      kind: "address",
      word: "HOST:PORT",
      default: "127.0.0.1:4200",
      meaning:
        "where the coordinator listens; beyond this machine it needs -token-file and TLS, or -insecure",
    },
    store: {
      word: "sqlite:FILE",
      default: "sqlite:./rollcall.db",
      meaning: "what it keeps; one coordinator at a time",
    },
    apply: {
      word: "FILE|DIR",
      meaning: "settings that are applied at the start and whenever they change, as by `rollcall apply`",
    },
    name: {
      word: "NAME",
      defaultText: "the host's name",
      meaning: "the coordinator in the source of its events, /rollcall/NAME",
    },
    retain: {
      kind: "duration",
      word: "DURATION",
      default: "720h",
      range: [HOUR_MS, 10 * 365 * 24 * HOUR_MS],
      meaning: "how long events are kept",
    },
    "retain-events": {
      kind: "int",
      word: "N",
      default: "1000000",
      range: [1_000, 100_000_000],
      meaning: "how many events are kept at most",
    },
    "discovery-service": {
      kind: "bool",
      word: "",
      meaning:
        "serve the Discovery Service too, below /discovery; it keeps a file of its own beside that of -store",
    },
    "forget-unused": {
      kind: "duration",
      word: "DURATION",
      defaultText: UNUSED.text,
      range: [HOUR_MS, 10 * 365 * 24 * HOUR_MS],
      meaning: "with -discovery-service: how long an id is kept that nobody asks for",
    },
  }),
  ...rows("security", COORDINATOR, {
    "tls-ca": { word: "FILE", meaning: "who signs the certificates of callers, PEM" },
    "token-file": {
      word: "FILE",
      meaning: "holds the bearer token that callers must show to change something",
    },
    "token-for-reads": { kind: "bool", word: "", meaning: "readers must show the token too" },
    insecure: { kind: "bool", word: "", meaning: "listen beyond this machine without token or without TLS" },
  }),
  ...rows("command", COORDINATOR_CLIENT, {
    coordinator: {
      word: "URL",
      default: "http://127.0.0.1:4200",
      meaning: "the coordinator to ask: http://HOST:PORT or https://HOST:PORT",
    },
    o: {
      key: "output",
      kind: "enum",
      word: "FORMAT",
      values: ["table", "json", "yaml"],
      default: "table",
      lineOnly: true,
      meaning: "for people, or for programs",
    },
    f: {
      key: "file",
      word: "FILE|DIR|-",
      lineOnly: true,
      commands: ["apply"],
      defaultText: "required",
      meaning: "what is applied; -: standard input",
    },
    discovery: {
      word: "NAME",
      lineOnly: true,
      commands: ["get discoveries", "delete discovery", "discovery accept"],
      meaning: "the discovery; its name may also stand alone",
    },
  }),
  ...rows("command", ["nodes", "events"], {
    cluster: {
      word: "ID",
      lineOnly: true,
      commands: [
        "nodes",
        "events",
        "get clusters",
        "get settings",
        "delete cluster",
        "cluster show",
        "cluster refresh",
      ],
      meaning: "only this cluster; but for nodes and events, its id may also stand alone",
    },
  }),
  ...rows("command", ["events"], {
    type: {
      word: "LIST",
      lineOnly: true,
      meaning: "only these types of events, as in LEADER_CHANGED,NODE_DOWN",
    },
    after: { word: "ID", lineOnly: true, meaning: "only what came after this event" },
    follow: { kind: "bool", word: "", lineOnly: true, meaning: "go on with the events as they come" },
  }),
  ...rows("security", COORDINATOR_CLIENT, {
    "tls-ca": { word: "FILE", meaning: "who signs the coordinator's certificate, PEM" },
    "token-file": { word: "FILE", meaning: "holds the bearer token that the coordinator wants" },
  }),
];
