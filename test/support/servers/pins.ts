/**
 * Which files the test servers come from: Debian packages, amd64, fixed by their SHA256. Each is unpacked,
 * never installed, so that nothing of another suite enters the system.
 */

/** One Debian package. */
export type Package = {
  readonly suite: string;
  readonly package: string;
  /** Below the mirror. */
  readonly path: string;
  readonly sha256: string;
};

/** One program taken out of one package. */
export type Pin = Package & {
  /** Inside the package. */
  readonly binary: string;
  /** What it needs beside what nearly every system has; the libraries lie beside it and nobody else finds them. */
  readonly libraries?: readonly Package[];
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
  prometheus: {
    suite: "bookworm",
    package: "prometheus",
    path: "pool/main/p/prometheus/prometheus_2.42.0+ds-5+deb12u1_amd64.deb",
    sha256: "81d59a24fce84f7fbe97a45a4f2914b6a5881b5cd1db2a6a0e129e515e1a5f55",
    binary: "usr/bin/prometheus",
  },
  knotd: {
    suite: "bookworm",
    package: "knot",
    path: "pool/main/k/knot/knot_3.2.6-1_amd64.deb",
    sha256: "b7a5996b6c5d0def4804e47967b30091f7139cadc23a17dece7c2c6bca3e5c2a",
    binary: "usr/sbin/knotd",
    libraries: [
      {
        suite: "bookworm",
        package: "libknot13",
        path: "pool/main/k/knot/libknot13_3.2.6-1_amd64.deb",
        sha256: "63c3f14a9e94c49a8f249bb2d0ec88be7cb0dad1385dd4b10a7b53e1e1a48d34",
      },
      {
        suite: "bookworm",
        package: "libdnssec9",
        path: "pool/main/k/knot/libdnssec9_3.2.6-1_amd64.deb",
        sha256: "f5b90b443940909d7de958f621e0b01336d2ae972fc982b99ce78ab9faab6fd7",
      },
      {
        suite: "bookworm",
        package: "libzscanner4",
        path: "pool/main/k/knot/libzscanner4_3.2.6-1_amd64.deb",
        sha256: "0b2db4d7de2c13e20dae81ac97e1aeb2c5f843aa0b4eab6c124fd6b06629bca5",
      },
      {
        suite: "bookworm",
        package: "liburcu8",
        path: "pool/main/libu/liburcu/liburcu8_0.13.2-1_amd64.deb",
        sha256: "8647049698200fb5e20a130a09059b51878bb98643a120c7b0c6cbfd3f9b42dd",
      },
      {
        suite: "bookworm",
        package: "liblmdb0",
        path: "pool/main/l/lmdb/liblmdb0_0.9.24-1_amd64.deb",
        sha256: "126d5d9d645dbe4e60c63c55160f3db31372bc7f6351d8b4480a51b40c551ff6",
      },
      {
        suite: "bookworm",
        package: "libxdp1",
        path: "pool/main/x/xdp-tools/libxdp1_1.3.1-1_amd64.deb",
        sha256: "a0fd2ace12a996a217f8bb7f3ddcd4e982c2d890b864d40add05fac1739e96a4",
      },
    ],
  },
} as const satisfies Record<string, Pin>;

/** A program that `PINS` names. */
export type Pinned = keyof typeof PINS;
