import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { request } from "../support/http.ts";
import { loopbackAddress } from "../support/loopback.ts";
import { startNameServer } from "../support/name-server.ts";
import { type Process, run, start } from "../support/processes.ts";
import { describeWith, startConsul, withoutLeaks } from "../support/servers/index.ts";
import { tempDir } from "../support/temp.ts";
import { until } from "../support/wait.ts";
import { configured, filled, type Started } from "./configured.ts";
import { type Manifest, problemsOf, readManifests } from "./manifest.ts";
import { rqlitedBelow } from "./rqlited.ts";

const FOLDER = "examples/kubernetes";
const VARIANTS = ["sidecar", "one-container"] as const;
/** Where the agents meet: each a ConfigMap. */
const MEETINGS = ["dns", "consul"] as const;
type Meeting = (typeof MEETINGS)[number];
const manifests = (name: string) => readManifests(`${FOLDER}/${name}.yaml`);

const Env = z.object({
  name: z.string(),
  value: z.string().optional(),
  valueFrom: z.object({ fieldRef: z.object({ fieldPath: z.string() }) }).optional(),
});
const HttpProbe = z.looseObject({ httpGet: z.object({ path: z.string(), port: z.string() }) });
const Container = z.looseObject({
  name: z.string(),
  image: z.string(),
  restartPolicy: z.string().optional(),
  args: z.array(z.string()),
  command: z.array(z.string()).optional(),
  env: z.array(Env),
  envFrom: z.array(z.object({ configMapRef: z.object({ name: z.string() }) })).default([]),
  ports: z.array(z.object({ name: z.string(), containerPort: z.int() })),
  volumeMounts: z.array(
    z.object({
      name: z.string(),
      mountPath: z.string(),
      subPath: z.string().optional(),
      readOnly: z.boolean().optional(),
    }),
  ),
  startupProbe: HttpProbe.extend({ periodSeconds: z.int(), failureThreshold: z.int() }).optional(),
  livenessProbe: HttpProbe.optional(),
  readinessProbe: HttpProbe.optional(),
  securityContext: z.looseObject({
    allowPrivilegeEscalation: z.boolean(),
    readOnlyRootFilesystem: z.boolean(),
  }),
});
type Container = z.infer<typeof Container>;
const Labels = z.record(z.string(), z.string());
const StatefulSet = z.looseObject({
  spec: z.looseObject({
    serviceName: z.string(),
    replicas: z.int(),
    podManagementPolicy: z.string(),
    selector: z.object({ matchLabels: Labels }),
    template: z.object({
      metadata: z.object({ labels: Labels }),
      spec: z.looseObject({
        automountServiceAccountToken: z.boolean(),
        terminationGracePeriodSeconds: z.int(),
        initContainers: z.array(Container).default([]),
        containers: z.array(Container),
        volumes: z.array(z.looseObject({ name: z.string() })),
      }),
    }),
    volumeClaimTemplates: z.array(z.looseObject({ metadata: z.object({ name: z.string() }) })),
  }),
});
const Service = z.looseObject({
  kind: z.literal("Service"),
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({
    clusterIP: z.string().optional(),
    publishNotReadyAddresses: z.boolean().optional(),
    selector: Labels,
    ports: z.array(z.object({ name: z.string(), port: z.int(), targetPort: z.string().optional() })),
  }),
});
const ConfigMap = z.looseObject({ kind: z.literal("ConfigMap"), data: Labels });

const common = manifests("common");
const services = common.flatMap((one) => Service.safeParse(one).data ?? []);
const configs = {
  dns: ConfigMap.parse(manifests("dns")[0]).data,
  consul: ConfigMap.parse(manifests("consul")[0]).data,
};

function setOf(variant: (typeof VARIANTS)[number]) {
  const { spec } = StatefulSet.parse(manifests(variant)[0]);
  const pod = spec.template.spec;
  const containers = [...pod.initContainers, ...pod.containers];
  const agent = containers.find(({ args }) => args[0] === "agent");
  const database = pod.containers.find(({ name }) => name === "rqlite");
  if (agent === undefined || database === undefined)
    throw new Error(`${variant} has no agent or no database`);
  return { spec, pod, containers, agent, database };
}

/** The environment of a container of one pod, as the kubelet makes it: in order, each seeing those before. */
function environmentOf(container: Container, pod: string, meeting: Meeting = "dns"): Record<string, string> {
  const fields: Record<string, string> = { "metadata.name": pod, "metadata.namespace": "shop" };
  const env: Record<string, string> = container.envFrom.length > 0 ? { ...configs[meeting] } : {};
  for (const { name, value, valueFrom } of container.env)
    env[name] = fields[valueFrom?.fieldRef.fieldPath ?? ""] ?? filled(value ?? "", /\$\((\w+)\)/g, env);
  return env;
}

function startedIn(container: Container, pod: string, meeting: Meeting = "dns"): Started {
  const env = environmentOf(container, pod, meeting);
  const argv = container.args.map((word) => filled(word, /\$\((\w+)\)/g, env));
  return { argv, env, files: { "/run/secrets/rollcall/cluster-secret": "a secret of enough bytes" } };
}

/** Every place in an object, with what a copy becomes when that place is changed. */
function* places(value: unknown, path: readonly (string | number)[] = []): Generator<(string | number)[]> {
  if (path.length > 0) yield [...path];
  if (typeof value !== "object" || value === null) return;
  for (const [key, item] of Object.entries(value))
    yield* places(item, [...path, Array.isArray(value) ? Number(key) : key]);
}

type Holder = Record<string | number, unknown>;

function changed(
  manifest: Manifest,
  path: readonly (string | number)[],
  how: (at: Holder, key: string) => void,
) {
  const copy = structuredClone(manifest);
  const at = path.slice(0, -1).reduce<Holder>((inner, key) => inner[key] as Holder, copy);
  how(at, String(path.at(-1)));
  return copy;
}

/** Maps, in which every name is as good as another. */
const FREE = /^(labels|matchLabels|selector|data|requests|limits)$/;
const all = [...common, ...MEETINGS.flatMap(manifests), ...VARIANTS.flatMap(manifests)];
const named = all.map((one) => [`${one.kind} ${one.metadata.name}`, one] as const);

describe("the Kubernetes manifests", () => {
  it.each(named)("fit the schema: %s", async (_, manifest) => {
    expect(await problemsOf(manifest)).toEqual([]);
  });

  it.each(named)("would not with any one field misspelt: %s", async (_, manifest) => {
    const kept: string[] = [];
    for (const path of places(manifest)) {
      const [key, above] = [path.at(-1), path.at(-2)];
      const free = FREE.test(String(above)) && !(above === "selector" && key === "matchLabels");
      if (typeof key === "number" || key === "kind" || key === "apiVersion" || free) continue;
      const misspelt = changed(manifest, path, (at, name) => {
        at[`${name}s`] = at[name];
        delete at[name];
      });
      const problems = await problemsOf(misspelt);
      if (!problems.some((problem) => problem.includes(`${key}`))) kept.push(path.join("/"));
    }
    expect(kept).toEqual([]);
  });

  it.each(named)("would not with any one value of another type: %s", async (_, manifest) => {
    const kept: string[] = [];
    for (const path of places(manifest)) {
      const wrong = changed(manifest, path, (at, key) => {
        at[key] = typeof at[key] === "object" ? "text" : {};
      });
      if (path[0] === "kind" || path[0] === "apiVersion") continue;
      if ((await problemsOf(wrong)).length === 0) kept.push(path.join("/"));
    }
    expect(kept).toEqual([]);
  });

  it("says which field is wrong, as a person would", async () => {
    const [set] = manifests("sidecar");
    if (set === undefined) throw new Error("sidecar.yaml is empty");
    const init = ["spec", "template", "spec", "initContainers", 0, "restartPolicy"];
    const misspelt = changed(set, init, (at) => {
      delete at.restartPolicy;
      at.restartPolcy = "Always";
    });
    expect(await problemsOf(misspelt)).toEqual([
      "/spec/template/spec/initContainers/0/restartPolcy: unknown field",
    ]);
    const text = changed(set, ["spec", "replicas"], (at) => {
      at.replicas = "three";
    });
    expect(await problemsOf(text)).toEqual(["/spec/replicas: type integer"]);
  });

  it("give every pod a name before it is ready", () => {
    const headless = services.find(({ metadata }) => metadata.name === "rqlite");
    expect(headless?.spec).toMatchObject({ clusterIP: "None", publishNotReadyAddresses: true });
    for (const variant of VARIANTS) {
      const { spec } = setOf(variant);
      expect(spec.serviceName).toBe("rqlite");
      expect(spec.podManagementPolicy).toBe("Parallel");
      expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels);
    }
  });

  it("have services that reach a port of every variant", () => {
    for (const { spec } of services)
      for (const variant of VARIANTS) {
        const { spec: set, containers } = setOf(variant);
        expect(set.template.metadata.labels).toMatchObject(spec.selector);
        const ports = new Map(containers.flatMap(({ ports }) => ports.map((p) => [p.name, p.containerPort])));
        for (const { port, targetPort } of spec.ports)
          expect(targetPort === undefined ? [...ports.values()] : [ports.get(targetPort)]).toContain(port);
      }
  });
});

describe.each(VARIANTS)("the Kubernetes pod %s", (variant) => {
  const { spec, pod, containers, agent } = setOf(variant);

  it("asks nothing of the Kubernetes API and runs without rights", () => {
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(all.map(({ kind }) => kind).filter((kind) => /Role|ServiceAccount/.test(kind))).toEqual([]);
    for (const { securityContext } of containers)
      expect(securityContext).toMatchObject({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
      });
  });

  it.each([
    ["dns", { mode: "dns", provider: { name: "rqlite.shop.svc.cluster.local" } }],
    ["consul", { mode: "consul-kv", provider: { address: "consul-server.consul.svc:8500" } }],
  ] as const)(
    "starts an agent that the program takes, with addresses others can use: %s",
    async (meeting, disco) => {
      const made = await configured(startedIn(agent, "rqlite-1", meeting));
      expect(made).toMatchObject({
        nodeId: "rqlite-1",
        httpAdvAddr: { host: "rqlite-1.rqlite.shop.svc", port: 4100 },
        disco: { ...disco, key: "shop/rqlite" },
        bootstrapExpect: spec.replicas,
        formation: "symmetric",
        insecure: false,
        db: {
          kind: "rqlite",
          advAddr: "rqlite-1.rqlite.shop.svc:4001",
          peerAddr: "rqlite-1.rqlite.shop.svc:4002",
          dataDir: "/var/lib/rqlite",
        },
      });
    },
  );

  it("would not start with a flag or a variable that is misspelt", async () => {
    const started = startedIn(agent, "rqlite-1");
    const argv = ["agent", "-db-adr=x", ...started.argv.slice(1)];
    await expect(configured({ ...started, argv })).rejects.toThrow(/-db-adr: unknown flag/);
    const env = { ...started.env, ROLLCALL_BOOTSTRAP_EXPECTED: "3" };
    await expect(configured({ ...started, env })).rejects.toThrow("ROLLCALL_BOOTSTRAP_EXPECTED: no flag");
    const { ROLLCALL_CLUSTER_SECRET_FILE: _, ...open } = started.env;
    await expect(configured({ ...started, env: open })).rejects.toThrow(/is open beyond this machine/);
  });

  it("gives the database its time to stop, and the agent 5 s after it", async () => {
    const { ROLLCALL_STOP_TIMEOUT } = startedIn(agent, "rqlite-1").env;
    expect(ROLLCALL_STOP_TIMEOUT).toMatch(/^\d+s$/);
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(
      Number.parseInt(`${ROLLCALL_STOP_TIMEOUT}`, 10) + 5,
    );
  });

  it("probes what there is, on ports there are", () => {
    const known: Record<string, readonly string[]> = {
      rollcall: ["/startupz", "/livez", "/readyz"],
      http: ["/readyz?noleader"],
    };
    for (const { ports, startupProbe, livenessProbe, readinessProbe } of containers)
      for (const probe of [startupProbe, livenessProbe, readinessProbe]) {
        if (probe === undefined) continue;
        expect(ports.map(({ name }) => name)).toContain(probe.httpGet.port);
        expect(known[probe.httpGet.port]).toContain(probe.httpGet.path);
      }
    expect(agent.livenessProbe?.httpGet.path).toBe("/livez");
    expect(agent.readinessProbe?.httpGet.path).toBe("/readyz");
  });

  it("mounts volumes that there are, each place once, and writes only where it may", async () => {
    const volumes = [
      ...pod.volumes.map(({ name }) => name),
      ...spec.volumeClaimTemplates.map(({ metadata }) => metadata.name),
    ];
    for (const { volumeMounts } of containers) {
      const paths = volumeMounts.map(({ mountPath }) => mountPath);
      expect(new Set(paths).size).toBe(paths.length);
      for (const { name } of volumeMounts) expect(volumes).toContain(name);
    }
    const mounted = containers.flatMap(({ volumeMounts }) => volumeMounts.map(({ name }) => name));
    expect(volumes.filter((name) => !mounted.includes(name))).toEqual([]);
    const { dataDir, db } = await configured(startedIn(agent, "rqlite-1"));
    for (const path of [dataDir, db.dataDir])
      expect(agent.volumeMounts.find(({ mountPath }) => mountPath === path)?.name).toBe("data");
  });
});

describe("the Kubernetes sidecar", () => {
  const { agent, database } = setOf("sidecar");

  it("is a native one, and its startup gates the database", () => {
    expect(agent.restartPolicy).toBe("Always");
    expect(agent.startupProbe?.httpGet.path).toBe("/startupz");
    const { periodSeconds = 0, failureThreshold = 0 } = agent.startupProbe ?? {};
    expect(periodSeconds).toBe(1);
    expect(periodSeconds * failureThreshold).toBeGreaterThanOrEqual(3_600);
  });

  it("shares the outcome with the database, which has the same addresses and directory", async () => {
    const { outputs, db } = await configured(startedIn(agent, "rqlite-1"));
    const mount = (container: Container, path: string | null) =>
      container.volumeMounts.find(({ mountPath }) => path?.startsWith(`${mountPath}/`) || path === mountPath);
    expect(mount(agent, outputs.env)?.name).toBe("shared");
    expect(mount(database, outputs.env)).toMatchObject({ name: "shared", readOnly: true });
    expect(database.args[0]).toContain(`. ${outputs.env}\n`);
    expect(mount(database, db.dataDir)?.subPath).toBe(mount(agent, db.dataDir)?.subPath);
    expect(environmentOf(database, "rqlite-1").HOST).toBe(environmentOf(agent, "rqlite-1").HOST);
  });

  withoutLeaks(() => {
    it("has a database's shell that hands the outcome on, word by word", async () => {
      const dir = tempDir("pod");
      mkdirSync(join(dir, "shared"));
      writeFileSync(
        join(dir, "shared/outcome.env"),
        "OUTCOME_KIND='bootstrap'\nOUTCOME_ARGS='-node-id rqlite-1 -join a:4002,b:4002'\n",
      );
      writeFileSync(join(dir, "rqlited"), '#!/bin/sh\nprintf "%s\\n" "$@"\n');
      chmodSync(join(dir, "rqlited"), 0o755);
      const script = (database.args[0] ?? "").replaceAll("/shared/", `${dir}/shared/`);
      const { stdout } = await run("sh", [...(database.command ?? []).slice(1), script], {
        env: { ...environmentOf(database, "rqlite-1"), PATH: `${dir}:${process.env.PATH}` },
      });
      const { db } = await configured(startedIn(agent, "rqlite-1"));
      expect(stdout.trimEnd().split("\n")).toEqual([
        ...["-node-id", "rqlite-1", "-join", "a:4002,b:4002"],
        ...["-http-addr", "0.0.0.0:4001", "-http-adv-addr", db.advAddr],
        ...["-raft-addr", "0.0.0.0:4002", "-raft-adv-addr", db.peerAddr],
        db.dataDir,
      ]);
    });
  });
});

/** A pod of the sidecar variant as processes of this machine, with a loopback address for its network. */
async function openPod(pod: string, meeting: Meeting, store: string, bin: string) {
  const { agent, database } = setOf("sidecar");
  const [address, dir] = [await loopbackAddress(), tempDir("k")];
  const here = (text: string) =>
    text
      .replaceAll(`${pod}.rqlite.shop.svc`, address)
      .replaceAll("0.0.0.0", address)
      .replaceAll("consul-server.consul.svc:8500", store)
      // In a pod, /etc/resolv.conf says whom to ask.
      .replace(/^\{"name":/, `{"resolvers":["${store}"],"name":`)
      .replace(/\/(shared|var\/lib|run\/secrets)\//g, `${dir}/`);
  const environment = (container: Container) => {
    const given = Object.entries(environmentOf(container, pod, meeting));
    return Object.fromEntries(given.map(([name, value]) => [name, here(value)]));
  };
  mkdirSync(join(dir, "rollcall"));
  writeFileSync(join(dir, "rollcall/cluster-secret"), "a secret of enough bytes");
  const get = (path: string) => request(`http://${address}:4100${path}`);
  const green = (path: string) =>
    until(async () => (await get(path)).status === 200, {
      deadlineMs: 30_000,
      what: `${pod} ${path}`,
      everyMs: 20,
    });
  let processes: readonly Process[] = [];
  const startDatabase = async () => {
    const child = await start({
      name: `rqlite of ${pod}`,
      program: "sh",
      args: [...(database.command ?? []).slice(1), here(database.args[0] ?? "")],
      env: { ...environment(database), PATH: `${bin}:${process.env.PATH}` },
    });
    processes = [child, ...processes.slice(-1)];
    return child;
  };
  return {
    pod,
    address,
    get,
    green,
    /** As the kubelet does: the database's container is started when the sidecar's startup probe is green. */
    async start(): Promise<Process> {
      const sidecar = await start({
        name: `rollcall of ${pod}`,
        program: process.execPath,
        args: ["src/main.ts", ...agent.args],
        // In a pod, 127.0.0.1 is the pod's own.
        env: { ...environment(agent), ROLLCALL_DB_ADDR: `${address}:4001`, NODE_EXTRA_CA_CERTS: undefined },
      });
      processes = [sidecar];
      await green(agent.startupProbe?.httpGet.path ?? "");
      return startDatabase();
    },
    startDatabase,
    sql: (path: string, statement: string) =>
      request(`http://${address}:4001${path}`, { method: "POST", body: JSON.stringify([statement]) }),
    /** The database, then the sidecar. Gives the sidecar's exit code. */
    async stop(): Promise<number | null> {
      let code: number | null = null;
      for (const child of processes) code = (await child.stop(20_000)).code;
      return code;
    },
  };
}

/** Three pods whose agents meet at `store`. Before any is started, `placed` is told where they are. */
async function threePods(meeting: Meeting, store: string, placed: (addresses: readonly string[]) => void) {
  const top = dirname(tempDir("k"));
  const bin = dirname(await rqlitedBelow(top));
  const names = ["rqlite-0", "rqlite-1", "rqlite-2"];
  const pods = await Promise.all(names.map((pod) => openPod(pod, meeting, store, bin)));
  placed(pods.map(({ address }) => address));
  const databases = await Promise.all(pods.map((pod) => pod.start()));
  await Promise.all(pods.map((pod) => pod.green("/readyz")));
  const leads = await Promise.all(pods.map(async (pod) => (await pod.get("/leader")).status));
  expect(leads.toSorted()).toEqual([200, 503, 503]);
  const [first, second] = pods;
  if (first === undefined || second === undefined) throw new Error("no pods");
  // Any node takes a write: that is what the client service counts on.
  expect((await first.sql("/db/execute", "CREATE TABLE notes (text TEXT)")).status).toBe(200);
  expect((await second.sql("/db/execute", "INSERT INTO notes VALUES ('kept')")).body).not.toContain("error");
  return { pods, first, databases };
}

type Pods = Awaited<ReturnType<typeof threePods>>["pods"];

/** Each has the row, asked for what it has itself, and ends in order. */
async function keptAndStopped(pods: Pods): Promise<void> {
  for (const pod of pods)
    await until(
      async () => (await pod.sql("/db/query?level=none", "SELECT text FROM notes")).body.includes("kept"),
      { deadlineMs: 30_000, what: `${pod.pod} to have the row` },
    );
  for (const pod of pods) expect(await pod.stop()).toBe(0);
}

describeWith(["consul", "rqlited"], "the Kubernetes sidecar, as processes", () => {
  it("forms one cluster of three pods, keeps it over a database's restart, and stops in order", async () => {
    const consul = await startConsul();
    const store = `${consul.address}:${consul.ports.http}`;
    const { pods, first, databases } = await threePods("consul", store, () => {});
    await databases[0]?.kill();
    await until(async () => (await first.get("/readyz")).status === 503, {
      deadlineMs: 30_000,
      what: "a pod without its database not to be ready",
    });
    await first.startDatabase();
    await first.green("/readyz");
    await keptAndStopped(pods);
    await consul.stop();
  }, 90_000);
});

describeWith("rqlited", "the Kubernetes sidecar without a store, as processes", () => {
  it("forms one cluster of three pods that the headless service lists before they are ready", async () => {
    const names = await startNameServer({});
    const name = "rqlite.shop.svc.cluster.local";
    const { pods } = await threePods("dns", names.endpoint, (addresses) => {
      names.zone = { [`A ${name}`]: { addresses }, [`AAAA ${name}`]: "NODATA" };
    });
    await keptAndStopped(pods);
    await names.close();
  }, 90_000);
});
