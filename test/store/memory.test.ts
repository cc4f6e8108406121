/** The contract over a store in memory, with a clock that nobody moves: it waits for nothing. */
import { manualClock } from "../lib/manual-clock.ts";
import { storeContract } from "./contract.ts";
import { openFor } from "./facts.ts";

storeContract("memory", () => openFor("memory:", manualClock()));
