/**
 * Which files the test servers come from: Debian packages, amd64, fixed by their SHA256. Each is unpacked,
 * never installed, so that nothing of another suite enters the system.
 */

/** One program taken out of one Debian package. */
export type Pin = {
  readonly suite: string;
  readonly package: string;
  /** Below the mirror. */
  readonly path: string;
  readonly sha256: string;
  /** Inside the package. */
  readonly binary: string;
};

/** The programs the installer can fetch. Consul is in no suite after bullseye (its licence changed). */
export const PINS = {
  consul: {
    suite: "bullseye",
    package: "consul",
    path: "pool/main/c/consul/consul_1.8.7+dfsg1-2+b3_amd64.deb",
    sha256: "e4e888bba104daba1d9161f49bfc52649a7e4efd45b1a7ead5bc54f2cb9c89d9",
    binary: "usr/bin/consul",
  },
  etcd: {
    suite: "trixie",
    package: "etcd-server",
    path: "pool/main/e/etcd/etcd-server_3.5.16-4_amd64.deb",
    sha256: "0875921bb0d023f2af9b8e15cdfbe417a03e65731345fb832c40f9c2dd72967b",
    binary: "usr/bin/etcd",
  },
  etcdctl: {
    suite: "trixie",
    package: "etcd-client",
    path: "pool/main/e/etcd/etcd-client_3.5.16-4_amd64.deb",
    sha256: "7eb67e305ba2ce523a5a0b29bf88750ded3f724769c7111a83382b7909f9977b",
    binary: "usr/bin/etcdctl",
  },
} as const satisfies Record<string, Pin>;

/** A program that `PINS` names. */
export type Pinned = keyof typeof PINS;
