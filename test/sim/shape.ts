/** What a schedule is like, as it is drawn from its seed. */

/** How agents find each other and agree: with a store, or through DNS and among themselves. */
export type Mode = "store" | "names";

/** What a schedule is like. */
export type Shape = {
  readonly mode: Mode;
  readonly expect: number;
  readonly voters: number;
  readonly nonVoters: number;
  readonly formation: "single" | "symmetric";
  readonly initialises: boolean;
  /** The store may be wiped. Then there are as many voters as are expected and their disks stay, or limit (a) is met. */
  readonly wipes: boolean;
  readonly chaosMs: number;
  readonly live: boolean;
};
