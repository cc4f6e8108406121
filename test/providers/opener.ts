/** Providers of one mode, opened by tests and closed after each. */

import { afterEach } from "vitest";
import type * as z from "zod";
import type { Provider, ProviderContext } from "../../src/core/provider.ts";
import { contextFor, freshKey } from "../contract/stage.ts";

type Mode<Config> = {
  readonly Config: z.ZodType<Config>;
  open(config: Config, context: ProviderContext): Promise<Provider>;
};

/** Gives what opens a provider from the JSON of a configuration, on a fresh key unless told. */
export function opener<Config>({ Config, open }: Mode<Config>) {
  const opened: Provider[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((provider) => provider.close()));
  });
  return async (config: unknown, key = freshKey()): Promise<Provider> => {
    const provider = await open(Config.parse(config), contextFor(key));
    opened.push(provider);
    return provider;
  };
}

/** `key: what is wrong` of the first problem that the schema has with a configuration. */
export function problemOf(schema: z.ZodType, config: unknown): string | undefined {
  const issue = schema.safeParse(config).error?.issues[0];
  return issue === undefined ? undefined : `${issue.path.join(".")}: ${issue.message}`;
}
