import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import * as z from "zod";
import { configured, type Started } from "./configured.ts";

const FOLDER = "examples/docker-compose";

// No kept package has the schema of compose files: this is the part of it that the example uses, and no more,
// so that a misspelt key is an error.
const Port = z.string().regex(/^127\.0\.0\.1:\d+:\d+$/);
const Scalar = z.union([z.string(), z.number()]);
const Service = z.strictObject({
  image: z.string(),
  build: z.strictObject({ context: z.string() }).optional(),
  command: z.array(z.string()),
  hostname: z.string().optional(),
  environment: z.record(z.string(), Scalar).default({}),
  stop_grace_period: z
    .string()
    .regex(/^\d+s$/)
    .optional(),
  restart: z.enum(["no", "always", "on-failure", "unless-stopped"]).optional(),
  read_only: z.boolean().optional(),
  tmpfs: z.array(z.string()).default([]),
  cap_drop: z.array(z.string()).optional(),
  security_opt: z.array(z.string()).optional(),
  secrets: z.array(z.string()).default([]),
  ports: z.array(Port).default([]),
  volumes: z.array(z.string().regex(/^[\w-]+:\/[\w/]+$/)).default([]),
});
const Compose = z.strictObject({
  name: z.string(),
  services: z.record(z.string(), Service),
  secrets: z.record(z.string(), z.strictObject({ environment: z.string() })),
  volumes: z.record(z.string(), z.null()),
});

const text = readFileSync(`${FOLDER}/compose.yaml`, "utf8");

function read(source: string) {
  const whole: Record<string, unknown> = parse(source, { merge: true });
  return Compose.parse(Object.fromEntries(Object.entries(whole).filter(([key]) => !key.startsWith("x-"))));
}

const compose = read(text);
const nodes = Object.entries(compose.services).filter(([name]) => name.startsWith("node-"));

/** What the image's own environment adds, and what runs in it. */
function startedIn(service: z.infer<typeof Service>): Started {
  const image = readFileSync(`${FOLDER}/Dockerfile`, "utf8");
  const own = [...image.matchAll(/\b(ROLLCALL_[A-Z_]+)=(\S+)/g)].map(([, name = "", value = ""]) => [
    name,
    value,
  ]);
  const given = Object.entries(service.environment).map(([name, value]) => [name, String(value)]);
  return {
    argv: service.command,
    env: Object.fromEntries([...own, ...given]),
    files: Object.fromEntries(
      service.secrets.map((name) => [`/run/secrets/${name}`, "a secret of enough bytes"]),
    ),
  };
}

describe("the compose file", () => {
  it("has no key that is not known", () => {
    expect(() => read(text.replaceAll("cap_drop:", "caps_drop:"))).toThrow(/caps_drop/);
    expect(() => read(text.replace("restart: on-failure", "restart: on-failures"))).toThrow(/restart/);
  });

  it("names services, volumes and secrets that there are, and uses each", () => {
    const used = { volumes: [] as string[], secrets: [] as string[] };
    for (const service of Object.values(compose.services)) {
      used.volumes.push(...service.volumes.map((volume) => volume.split(":", 1)[0] ?? ""));
      used.secrets.push(...service.secrets);
    }
    // Each volume is one node's alone.
    expect(used.volumes.sort()).toEqual(Object.keys(compose.volumes).sort());
    expect([...new Set(used.secrets)]).toEqual(Object.keys(compose.secrets));
  });

  it("gives each node ports of its own on this machine", () => {
    const outside = nodes.flatMap(([, { ports }]) => ports.map((port) => port.split(":")[1]));
    expect(new Set(outside).size).toBe(outside.length);
    for (const [, { ports }] of nodes)
      expect(ports.map((port) => port.split(":")[2]).sort()).toEqual(["4001", "4100"]);
  });

  it("has as many nodes as are expected", () => {
    expect(nodes.length).toBe(3);
    for (const [, { environment }] of nodes) expect(environment.ROLLCALL_BOOTSTRAP_EXPECT).toBe(nodes.length);
  });
});

describe.each(nodes)("the compose service %s", (name, service) => {
  it("starts an agent that the program takes, at its own name", async () => {
    expect(service.hostname).toBe(name);
    expect(await configured(startedIn(service))).toMatchObject({
      nodeId: name,
      httpAdvAddr: { host: name, port: 4100 },
      disco: { mode: "static", provider: { addresses: nodes.map(([node]) => node) } },
      formation: "symmetric",
      insecure: false,
      clusterSecretFile: "/run/secrets/cluster-secret",
      db: { kind: "rqlite", advAddr: `${name}:4001`, peerAddr: `${name}:4002`, dataDir: "/var/lib/rqlite" },
      supervision: { command: service.command.slice(2) },
    });
  });

  it("would not start with a flag or a variable that is misspelt", async () => {
    const started = startedIn(service);
    const argv = ["agent", "-stop-timeuot=1s", ...started.argv.slice(1)];
    await expect(configured({ ...started, argv })).rejects.toThrow(/-stop-timeuot: unknown flag/);
    const env = { ...started.env, ROLLCALL_DISCO_MOD: "consul-kv" };
    await expect(configured({ ...started, env })).rejects.toThrow("ROLLCALL_DISCO_MOD: no flag");
  });

  it("writes to volumes only, and has the time to stop", async () => {
    expect(service.read_only).toBe(true);
    const { dataDir, db, supervision } = await configured(startedIn(service));
    const mounted = service.volumes.map((volume) => volume.split(":")[1]);
    expect(mounted.sort()).toEqual([dataDir, db.dataDir].sort());
    const graceMs = Number.parseInt(service.stop_grace_period ?? "", 10) * 1_000;
    expect(graceMs).toBeGreaterThan((supervision?.stopTimeoutMs ?? 0) + 5_000);
  });
});

describe("the image of agent and rqlited", () => {
  const image = readFileSync(`${FOLDER}/Dockerfile`, "utf8");

  it("runs as an ordinary user behind an init, and keeps what it writes", async () => {
    expect(image).toMatch(/^USER node$/m);
    expect(image).toMatch(/^ENTRYPOINT \["tini", "--", "rollcall"\]$/m);
    expect(image).toMatch(/^VOLUME \/var\/lib\/rollcall \/var\/lib\/rqlite$/m);
  });

  it("calls the program as its own first line does", () => {
    const flags = /-S node (.*)$/m.exec(readFileSync("dist/main.js", "utf8"))?.[1];
    expect(image).toContain(`exec node ${flags} /opt/rollcall/main.js "$@"`);
  });
});
