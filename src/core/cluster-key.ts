/** The name of a cluster: the path of its rows in a store, a check in every call between agents, the coordinator's cluster_id. */
import * as z from "zod";

const SEGMENT = String.raw`(?!\.{1,2}(?:/|$))[a-z0-9._-]+`;

/** 1 to 4 segments of `[a-z0-9._-]` joined by `/`, at most 255 characters. */
export const ClusterKey = z
  .string()
  .max(255, "must have at most 255 characters")
  .regex(
    new RegExp(`^${SEGMENT}(?:/${SEGMENT}){0,3}$`),
    "must be 1 to 4 segments of [a-z0-9._-] joined by /, as in prod/orders",
  )
  .refine((key) => !/\/(?:members|init|retired)(?:\/|$)/.test(key), {
    // The leader of `a/members` and the member `leader` of `a` would be one row of the store.
    error: "must not have members, init or retired after its first segment: they name what a cluster keeps",
  });
