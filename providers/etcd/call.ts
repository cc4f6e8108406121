/**
 * What every gRPC call of ours has that the package `etcd3` gives no option for: it ends when a signal is aborted,
 * and carries metadata. Both through an interceptor of grpc-js, which lies under the package
 * (https://github.com/grpc/proposal/blob/master/L5-node-client-interceptors.md).
 */

/** What the call is to carry and when it is to end. `deadlineMs` is since the epoch. */
export type CallShape = {
  readonly deadlineMs?: number;
  readonly signals: readonly AbortSignal[];
  readonly metadata: Readonly<Record<string, string>>;
};

type Status = { readonly code: number; readonly details: string };
type Listener = { onReceiveStatus?(status: Status): void };
type Call = {
  start(metadata: { set(key: string, value: string): void }, listener?: Listener): void;
  cancelWithStatus(code: number, details: string): void;
};

/** gRPC's NOT_FOUND: the package takes CANCELLED, the true word, for a broken connection and drops it. */
const CANCELLED_BY_US = 5;

/** Options for any call of the package. */
export function callOptions({ deadlineMs, signals, metadata }: CallShape): { deadline?: number } {
  const interceptor = (options: unknown, next: (options: unknown) => Call): Call => {
    const call = next(options);
    const start = call.start.bind(call);
    const cancel = () => call.cancelWithStatus(CANCELLED_BY_US, "aborted");
    call.start = (carried, listener) => {
      for (const [key, value] of Object.entries(metadata)) carried.set(key, value);
      for (const signal of signals) signal.addEventListener("abort", cancel, { once: true });
      const onReceiveStatus = (status: Status) => {
        for (const signal of signals) signal.removeEventListener("abort", cancel);
        listener?.onReceiveStatus?.(withoutRecursion(status));
      };
      start(carried, { ...listener, onReceiveStatus });
      if (signals.some((signal) => signal.aborted)) cancel();
    };
    return call;
  };
  // Returned as less than it is: the package's type wants a class that only grpc-js itself can make.
  const options: { deadline?: number; interceptors: object[] } = { interceptors: [interceptor] };
  if (deadlineMs !== undefined) options.deadline = deadlineMs;
  return options;
}

/** The text that stands for etcd's `invalid auth token`. */
export const TOKEN_REFUSED = "the auth token is refused";

// The package answers `invalid auth token` by sending the same request again, without pause or end, and the
// token would be the same.
function withoutRecursion(status: Status): Status {
  return /invalid auth token/.test(status.details) ? { ...status, details: TOKEN_REFUSED } : status;
}
