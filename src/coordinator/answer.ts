/** What the answer of each route is given, and what it gives: types made of the table of routes. */
import type { Context } from "hono";
import type * as z from "zod";
import type { RouteName, Routes } from "./routes.ts";

type Parsed<R, K extends string> = R extends { readonly [_ in K]: infer S extends z.ZodType }
  ? z.infer<S>
  : unknown;

/** What a request asks, checked by its route's schemas. */
export type Given<N extends RouteName> = {
  readonly params: Parsed<Routes[N], "params">;
  readonly query: Parsed<Routes[N], "query">;
  /** The body as text; empty where the route reads none. */
  readonly body: string;
};

/** The same, and nothing in it may be changed. */
type Frozen<T> = T extends (infer U)[]
  ? readonly Frozen<U>[]
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T;

/** What a route answers: a value in its shape, or, where it has none, the answer itself. */
export type Said<N extends RouteName> = Routes[N] extends { readonly answer: infer S extends z.ZodType }
  ? Frozen<z.infer<S>>
  : Response;

/** Each route's answer. Throws a refusal, or what failed. */
export type Answers = {
  readonly [N in RouteName]: (given: Given<N>, c: Context) => Promise<Said<N>> | Said<N>;
};
