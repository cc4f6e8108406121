/** `node examples/rqlite-consul/run.ts`: three rqlite nodes that meet in Consul. */
import { main } from "../rqlite/main.ts";

process.exitCode = await main("consul");
