/** Why an agent is not counted, in words. */
import type { NotCounted } from "./quorum.ts";

/** The end of a sentence that begins with its id. */
export function notCountedText({ why, detail }: NotCounted): string {
  switch (why) {
    case "no_answer":
      return `is registered but does not answer this agent${detail === undefined ? "" : `: ${detail}`}`;
    case "not_registered":
      return "is not in the members directory (yet)";
    case "duplicate_node_id":
      return `is the id of two live agents${detail === undefined ? "" : `, one of them at ${detail}`}, so neither counts`;
    case "non_voter":
      return "is a non-voter";
    case "other_key":
      return `belongs to another cluster, ${detail}`;
    case "other_expect":
      return `was started with -bootstrap-expect ${detail}`;
    case "other_birth":
      return `knows birth ${detail} of the cluster`;
    case "pending":
      return `has a claim of its own on disk, ${detail}`;
    case "used":
      return "has data in its database";
    case "marker":
      return `belongs to genesis ${detail}`;
    case "assumed_lost":
      return "was said to be gone for good (`rollcall genesis assume-lost`)";
    default:
      return why satisfies never;
  }
}
