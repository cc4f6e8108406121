/** The contract over SQLite in a file. */
import { join } from "node:path";
import { tempDir } from "../support/temp.ts";
import { storeContract } from "./contract.ts";
import { durableContract } from "./durable.ts";
import { openFor } from "./facts.ts";

const location = () => `sqlite:${join(tempDir("store"), "rollcall.db")}`;

storeContract("sqlite", () => openFor(location()));
durableContract("sqlite", location);
