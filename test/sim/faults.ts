/** What goes wrong, by kinds that are counted, and the weather: how likely each is for one message or call. */

/** Every kind of fault; each is counted when it has taken effect. */
export const kinds = [
  "request lost",
  "reply lost",
  "request duplicated",
  "message delayed",
  "messages reordered",
  "cut one way",
  "cut both ways",
  "node cut off",
  "store unavailable (5xx)",
  "store slow",
  "store down",
  "store cut from a node",
  "write acknowledged to nobody",
  "write lands late",
  "stale watch",
  "leases lapse",
  "store wiped",
  "killed",
  "power failed",
  "unsynced lost",
  "unsynced torn",
  "disk full",
  "disks wiped",
  "database's disk wiped",
  "stopped and continued",
  "told to stop",
  "restarted elsewhere",
  "restarted with another expect",
  "restarted as a non-voter",
  "node id used twice",
  "-on-init failed",
  "voter's disks wiped",
  "voter's database wiped",
  "voter restarted with another expect",
  "voter restarted as a non-voter",
  "voter's id used twice",
  "voter given up",
  "power failed at a vote",
  "disk full at a vote",
  "names partial",
  "names stale",
  "NXDOMAIN",
  "names in another order",
] as const;
export type Kind = (typeof kinds)[number];

/** Probabilities, from 0 to 1, for one message, call, look or run. */
export type Weather = {
  lost: number;
  replyLost: number;
  duplicated: number;
  delayed: number;
  unavailable: number;
  slow: number;
  ackLost: number;
  late: number;
  stale: number;
  initFails: number;
  partial: number;
  oldNames: number;
  noName: number;
};

/** Nothing goes wrong. */
export function fairWeather(): Weather {
  return {
    lost: 0,
    replyLost: 0,
    duplicated: 0,
    delayed: 0,
    unavailable: 0,
    slow: 0,
    ackLost: 0,
    late: 0,
    stale: 0,
    initFails: 0,
    partial: 0,
    oldNames: 0,
    noName: 0,
  };
}
