/** Leases in etcd, one call each. The package's own lease keeps timers and tells a loss one time to live too late. */
import type { ILeaseKeepAliveRequest, ILeaseKeepAliveResponse } from "etcd3";
import { codeOf } from "../../src/lib/errors.ts";
import type { Connection, Stream } from "./connection.ts";

/** `needs` of leases: any user may have them. */
const NEEDS = "a lease";

/** A lease that is gone is no failure; everything else that goes wrong is thrown. */
export interface Leases {
  /** A new lease's id. */
  grant(doing: string, ttlMs: number, signal: AbortSignal): Promise<string>;
  /** Gives it its whole time again. False: it is gone. */
  keepAlive(doing: string, id: string, signal: AbortSignal): Promise<boolean>;
  /** Ends it, and deletes the rows that hang on it. */
  revoke(doing: string, id: string, signal: AbortSignal): Promise<void>;
}

/** Leases of this connection; they outlive it. */
export function createLeases(connection: Connection): Leases {
  return {
    async grant(doing, ttlMs, signal) {
      // A grant that is lost and repeated leaves a lease that nothing hangs on, for one time to live.
      const what = { doing: `${doing}: grant a lease`, needs: NEEDS, repeat: true };
      const request = { TTL: Math.ceil(ttlMs / 1000) };
      const granted = await connection.call(what, signal, (etcd, options) =>
        etcd.leaseClient.leaseGrant(request, options),
      );
      return granted.ID;
    },

    async keepAlive(doing, id, signal) {
      const what = { doing, needs: NEEDS, lastsMs: connection.timeoutMs };
      const answer = await connection.stream(
        what,
        signal,
        (etcd, options) => etcd.leaseClient.leaseKeepAlive(options),
        (stream: Stream<ILeaseKeepAliveRequest, ILeaseKeepAliveResponse>) => firstAnswer(stream, { ID: id }),
      );
      // etcd answers for a lease that it does not know, too: with no time left.
      return Number(answer.TTL) > 0;
    },

    async revoke(doing, id, signal) {
      const what = { doing: `${doing}: revoke a lease`, needs: NEEDS, repeat: true };
      try {
        await connection.call(what, signal, (etcd, options) =>
          etcd.leaseClient.leaseRevoke({ ID: id }, options),
        );
      } catch (error) {
        if (codeOf(error) !== "lease_gone") throw error;
      }
    },
  };
}

/** Rejects when the stream ends without an answer; the package's own `keepaliveOnce` would wait for ever. */
function firstAnswer<Sent, Received>(stream: Stream<Sent, Received>, question: Sent): Promise<Received> {
  return new Promise((resolve, reject) => {
    stream.on("data", resolve);
    stream.on("error", reject);
    stream.on("end", () => reject(new Error("14 UNAVAILABLE: the stream ended without an answer")));
    stream.write(question);
  });
}
