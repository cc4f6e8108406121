/** A process that opens the data directory named by its argument, says so, and holds it until it is killed. */
import { openDataDir } from "../../../src/agent/identity.ts";
import { RollcallError } from "../../../src/lib/errors.ts";

const [dir = "", nodeId = "held"] = process.argv.slice(2);
try {
  await openDataDir(dir, { key: "rollcall", nodeId, hostName: "host" }, () => globalThis.crypto.randomUUID());
  process.stdout.write("open\n");
  setInterval(() => {}, 1_000);
} catch (error) {
  process.stdout.write(`${error instanceof RollcallError ? error.code : String(error)}\n`);
}
