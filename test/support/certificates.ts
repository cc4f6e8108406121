/** Certificates made at run time with the openssl program, for servers that ask for one. */
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { run } from "./processes.ts";
import { programPath } from "./servers/install.ts";
import { tempDir } from "./temp.ts";

/** A certificate and its key: the files, and their PEM texts. */
export type KeyPair = {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
};

/** A CA with one server's and one client's certificate, valid for two days. */
export type Certificates = {
  readonly folder: string;
  readonly ca: KeyPair;
  readonly server: KeyPair;
  readonly client: KeyPair;
};

/**
 * Makes a CA, a server certificate for the hosts (addresses or names; 127.0.0.1 and localhost are always in,
 * for proxies) and a client certificate. That one has no common name unless told: etcd's gateway refuses every
 * client with a common name once users are on. Throws when openssl is missing or fails.
 */
export async function makeCertificates(
  hosts: readonly string[],
  clientName: string | null = null,
): Promise<Certificates> {
  const openssl = await programPath("openssl");
  const folder = tempDir("certificates");
  const sans = [...new Set([...hosts, "127.0.0.1", "localhost"])].map(
    (host) => `${isIP(host) ? "IP" : "DNS"}:${host}`,
  );
  await selfSigned(openssl, folder);
  // The etcd gateway shows the server's certificate to its own server, so that one is a client's as well.
  await Promise.all([
    signed(openssl, folder, "server", {
      subject: "/CN=server",
      extensions: ["extendedKeyUsage=serverAuth,clientAuth", `subjectAltName=${sans.join(",")}`],
    }),
    signed(openssl, folder, "client", {
      subject: clientName === null ? "/O=rollcall test" : `/CN=${clientName}`,
      extensions: ["extendedKeyUsage=clientAuth"],
    }),
  ]);
  return { folder, ca: pair(folder, "ca"), server: pair(folder, "server"), client: pair(folder, "client") };
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

async function selfSigned(openssl: string, folder: string): Promise<void> {
  const request = ["req", "-x509", ...NEW_KEY, "-days", "2", "-subj", "/CN=rollcall test CA"];
  const uses = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"];
  await run(openssl, [...request, ...uses, "-keyout", "ca.key", "-out", "ca.pem"], { cwd: folder });
}

async function signed(
  openssl: string,
  folder: string,
  file: string,
  holder: { readonly subject: string; readonly extensions: readonly string[] },
): Promise<void> {
  await run(
    openssl,
    ["req", "-new", ...NEW_KEY, "-subj", holder.subject, "-keyout", `${file}.key`, "-out", `${file}.csr`],
    { cwd: folder },
  );
  writeFileSync(join(folder, `${file}.ext`), `${holder.extensions.join("\n")}\n`);
  const authority = [
    "-CA",
    "ca.pem",
    "-CAkey",
    "ca.key",
    "-set_serial",
    `0x01${randomBytes(7).toString("hex")}`,
  ];
  const paths = ["-in", `${file}.csr`, "-extfile", `${file}.ext`, "-out", `${file}.pem`];
  await run(openssl, ["x509", "-req", "-days", "2", ...authority, ...paths], { cwd: folder });
}

function pair(folder: string, name: string): KeyPair {
  const certFile = join(folder, `${name}.pem`);
  const keyFile = join(folder, `${name}.key`);
  return { certFile, keyFile, cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
}
