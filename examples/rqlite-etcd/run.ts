/** `node examples/rqlite-etcd/run.ts`: three rqlite nodes that meet in etcd. */
import { main } from "../rqlite/main.ts";

process.exitCode = await main("etcd");
