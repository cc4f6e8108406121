/** A library's client that is made again when what it was made from has changed: files, or the endpoint's turn. */
import { closed } from "./failure.ts";

/** `Made` is the client with its connections; one is current, older ones live until their last call has ended. */
export interface Clients<Made> {
  /** Runs one call on the current client, made first where that is due. Throws what making or the call throws. */
  use<T>(doing: string, call: (client: Made) => Promise<T>): Promise<T>;
  /** Closes all. Calls under way end as the client's own closing makes them end; later ones throw `closed`. */
  close(): void;
}

/** How a client is made: `ingredients` are compared as JSON at every call, so reading them must be cheap. */
export type Recipe<Ingredients, Made> = {
  ingredients(): Promise<Ingredients>;
  make(ingredients: Ingredients): Made;
  close(client: Made): void;
};

type Entry<Made> = { readonly client: Made; readonly madeFrom: string; calls: number; current: boolean };

/** Makes nothing until the first `use`. */
export function createClients<Ingredients, Made>(recipe: Recipe<Ingredients, Made>): Clients<Made> {
  const entries = new Set<Entry<Made>>();
  let current: Entry<Made> | null = null;
  let open = true;

  function retire(entry: Entry<Made>): void {
    entry.current = false;
    if (current === entry) current = null;
    closeIfDone(entry);
  }

  function closeIfDone(entry: Entry<Made>): void {
    if (entry.current || entry.calls > 0 || !entries.delete(entry)) return;
    recipe.close(entry.client);
  }

  function entryFor(ingredients: Ingredients): Entry<Made> {
    const madeFrom = JSON.stringify(ingredients);
    if (current !== null && current.madeFrom !== madeFrom) retire(current);
    if (current === null) {
      current = { client: recipe.make(ingredients), madeFrom, calls: 0, current: true };
      entries.add(current);
    }
    return current;
  }

  return {
    async use(doing, call) {
      const ingredients = await recipe.ingredients();
      if (!open) throw closed(doing);
      const entry = entryFor(ingredients);
      entry.calls += 1;
      try {
        return await call(entry.client);
      } finally {
        entry.calls -= 1;
        closeIfDone(entry);
      }
    },
    close() {
      open = false;
      current = null;
      for (const entry of [...entries]) {
        entries.delete(entry);
        recipe.close(entry.client);
      }
    },
  };
}
