/** `node examples/rqlite-static/run.ts`: three rqlite nodes whose agents have a list of each other, and no store. */
import { main } from "../rqlite/main.ts";

process.exitCode = await main("static");
