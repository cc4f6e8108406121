/** Kubernetes manifests, read and held against the API's own schema, of which unknown fields are no part. */
import { readFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";
import * as z from "zod";
import { RollcallError } from "../../src/lib/errors.ts";

/** One object of a manifest. */
export type Manifest = z.infer<typeof Manifest>;
const Manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
});

/** What a compiled schema is: it looks at the value, says whether it fits, and keeps why not. */
type Validate = {
  (value: unknown): boolean;
  errors?: readonly Mistake[] | null;
};

/** Such as keyword `required` with `{missingProperty: "name"}`. */
type Mistake = {
  readonly instancePath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
};

/** The objects in a file, in order. Throws at the first mistake in the YAML. */
export function readManifests(path: string): Manifest[] {
  // Kubernetes reads YAML 1.1, in which `yes` and 0440 are not what they are in 1.2: neither is to be used.
  return parseAllDocuments(readFileSync(path, "utf8"), { version: "1.1" }).map((document) => {
    for (const problem of [...document.errors, ...document.warnings]) throw problem;
    return Manifest.parse(document.toJS());
  });
}

/** What the schema has against an object, a line each: wrong types, missing fields, and fields that it does not know. */
export async function problemsOf(manifest: Manifest): Promise<string[]> {
  const validate = await schemaOf(manifest);
  const seen = watched(manifest);
  const fits = validate(seen.value);
  const errors = fits ? [] : (validate.errors ?? []);
  const wrong = errors.map(
    ({ instancePath, keyword, params }) => `${instancePath}: ${keyword} ${Object.values(params).join(", ")}`,
  );
  // After a mistake a validator may look no further, and what it did not reach is not unknown.
  return wrong.length > 0 ? wrong : seen.unread().map((path) => `${path}: unknown field`);
}

async function schemaOf({ apiVersion, kind }: Manifest): Promise<Validate> {
  const [group, version = ""] = apiVersion.includes("/") ? apiVersion.split("/") : ["core", apiVersion];
  const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);
  const name = `IoK8sApi${capital(group ?? "")}${capital(version)}${kind}`;
  try {
    return (await import(`kubernetes-models/_schemas/${name}`)).validate;
  } catch (cause) {
    throw new RollcallError("schema", `${apiVersion} ${kind}: has no schema`, { cause });
  }
}

/**
 * A copy of the value that remembers which fields were looked at. A compiled schema looks at each field that
 * it knows, so what was never looked at is unknown to it: kubectl calls that an unknown field.
 */
function watched(root: unknown) {
  const unread = new Set<string>();
  const wrap = (value: unknown, path: string): unknown => {
    if (typeof value !== "object" || value === null) return value;
    const copy: object = Array.isArray(value) ? [] : {};
    for (const [key, item] of Object.entries(value)) {
      const below = `${path}/${key}`;
      if (!Array.isArray(value)) unread.add(below);
      Object.assign(copy, { [key]: wrap(item, below) });
    }
    return new Proxy(copy, {
      get(target, key, receiver) {
        unread.delete(`${path}/${String(key)}`);
        return Reflect.get(target, key, receiver);
      },
    });
  };
  // The outermost are reported: what is below an unknown field is unknown with it.
  const outermost = (path: string, _: number, all: readonly string[]) =>
    !all.some((other) => path.startsWith(`${other}/`));
  return { value: wrap(root, ""), unread: () => [...unread].filter(outermost) };
}
