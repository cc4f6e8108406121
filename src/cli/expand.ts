/**
 * Variables in a configuration's string values: `$VAR`, `${VAR}`, `${VAR:-default}`, and `$$` for a dollar.
 * They expand after parsing, so that a value can never change the structure, and once: what a variable holds
 * is taken as it is. Keys do not expand.
 */
import { usageError } from "./usage.ts";

export type Env = Readonly<Record<string, string | undefined>>;

const DOLLAR = /\$(?:(\$)|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?::-([^}]*))?\})?/g;

/**
 * A copy of `value` with every string expanded. A default serves where the variable is unset or empty. Throws
 * one usage line that begins with `where` and names the key, for an unset variable without a default and for
 * a dollar that begins neither.
 */
export function expand<T>(where: string, value: T, env: Env): T {
  return expandAt(value, { where, env, path: "" }) as T;
}

type Place = { readonly where: string; readonly env: Env; readonly path: string };

function expandAt(value: unknown, place: Place): unknown {
  if (typeof value === "string") return expandText(value, place);
  const below = (item: unknown, key: string | number) =>
    expandAt(item, { ...place, path: place.path === "" ? `${key}` : `${place.path}.${key}` });
  if (Array.isArray(value)) return value.map(below);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, below(item, key)]));
}

function expandText(text: string, { where, env, path }: Place): string {
  return text.replace(DOLLAR, (_match, dollar, plain, braced, fallback) => {
    if (dollar !== undefined) return "$";
    const name: string | undefined = plain ?? braced;
    if (name === undefined) {
      throw usageError(`${where}: ${path}: a $ begins no variable here; write $$ for a dollar`);
    }
    const value = env[name];
    if (fallback !== undefined && (value === undefined || value === "")) return fallback;
    if (value === undefined) {
      throw usageError(`${where}: ${path}: the variable ${name} is not set; \${${name}:-…} gives a default`);
    }
    return value;
  });
}
