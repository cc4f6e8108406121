import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openCredentials } from "../../src/agent/credentials.ts";
import { fileCache } from "../../src/lib/files.ts";
import { tempDir } from "../support/temp.ts";
import { configOf } from "./support/agents.ts";

function make() {
  const dir = tempDir("credentials");
  const put = (name: string, text: string) => writeFileSync(join(dir, name), text);
  for (const name of ["token", "secret", "cert", "key", "ca"]) put(name, `the ${name}\n`);
  const at = (name: string) => join(dir, name);
  const config = configOf("n1", dir, 1, {
    tokenFile: at("token"),
    clusterSecretFile: at("secret"),
    tls: { certFile: at("cert"), keyFile: at("key"), caFile: at("ca"), clientAuth: true },
  });
  return { put, config, dir, open: (more = {}) => openCredentials({ ...config, ...more }, fileCache()) };
}

describe("credentials", () => {
  it("are none where none were named", async () => {
    const { open } = make();
    const none = open({ tokenFile: null, clusterSecretFile: null, tls: null });
    expect(await none.token()).toBeNull();
    expect(await none.secret()).toBeNull();
    expect(await none.clientTls()).toBeNull();
    expect(await none.serverTls()).toBeNull();
  });

  it("are the files' content, secrets without white space around them", async () => {
    const { open } = make();
    const all = open();
    expect(await all.token()).toBe("the token");
    expect(await all.secret()).toBe("the secret");
    expect(await all.clientTls()).toEqual({ cert: "the cert\n", key: "the key\n", ca: "the ca\n" });
    expect(await all.serverTls()).toEqual({
      cert: "the cert\n",
      key: "the key\n",
      ca: "the ca\n",
      clientAuth: true,
    });
  });

  it("trust the system's authorities where no file names others", async () => {
    const { open, config } = make();
    const { tls } = config;
    const plain = open({ tls: tls && { ...tls, caFile: null, clientAuth: false } });
    expect(await plain.clientTls()).toEqual({ cert: "the cert\n", key: "the key\n" });
    expect(await plain.serverTls()).toMatchObject({ ca: null });
  });

  it("are those that replaced them", async () => {
    const { open, put } = make();
    const all = open();
    await all.secret();
    put("secret", "the other secret\n");
    expect(await all.secret()).toBe("the other secret");
  });

  it("do not turn protection off when their file is emptied or taken away", async () => {
    const { open, put, dir } = make();
    const all = open();
    for (const text of ["", " \n"]) {
      put("token", text);
      put("secret", text);
      await expect(all.token()).rejects.toMatchObject({
        code: "file",
        message: `${join(dir, "token")} is empty`,
      });
      await expect(all.secret()).rejects.toMatchObject({ code: "file" });
    }
    for (const text of ["one\ntwo\n", "jeton-é\n"]) {
      put("token", text);
      await expect(all.token()).rejects.toMatchObject({
        code: "file",
        message: `${join(dir, "token")} must hold one token, in one line of ASCII`,
      });
    }
    const gone = open({ clusterSecretFile: join(dir, "gone") });
    await expect(gone.secret()).rejects.toMatchObject({
      code: "file",
      message: expect.stringContaining("ENOENT"),
    });
  });
});
