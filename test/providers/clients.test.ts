import { describe, expect, it } from "vitest";
import { createClients } from "../../providers/clients.ts";

/** Clients that are numbers, made from whatever `file` holds. */
function bench() {
  const seen = { file: "a", made: 0, closed: [] as number[] };
  const clients = createClients({
    ingredients: async () => ({ file: seen.file }),
    make: () => {
      seen.made += 1;
      return seen.made;
    },
    close: (client) => void seen.closed.push(client),
  });
  return { seen, clients };
}

describe("clients", () => {
  it("makes none before the first call, and one for all that follow", async () => {
    const { seen, clients } = bench();
    expect(seen.made).toBe(0);
    expect(await clients.use("read", async (client) => client)).toBe(1);
    expect(await clients.use("read", async (client) => client)).toBe(1);
    expect(seen).toMatchObject({ made: 1, closed: [] });
  });

  it("makes another one when a file has changed, and closes the old one after its last call", async () => {
    const { seen, clients } = bench();
    const held = Promise.withResolvers<void>();
    const long = clients.use("watch", (client) => held.promise.then(() => client));
    await clients.use("read", async () => {});
    seen.file = "b";
    expect(await clients.use("read", async (client) => client)).toBe(2);
    expect(seen.closed).toEqual([]);
    held.resolve();
    expect(await long).toBe(1);
    expect(seen.closed).toEqual([1]);
  });

  it("closes all at once, twice if need be, and throws from then on", async () => {
    const { seen, clients } = bench();
    const long = clients.use("watch", () => new Promise<void>(() => {}));
    void long;
    await clients.use("read", async () => {});
    clients.close();
    clients.close();
    expect(seen.closed).toEqual([1]);
    await expect(clients.use("read", async () => {})).rejects.toMatchObject({
      code: "closed",
      message: "read: the provider is closed",
    });
    expect(seen.made).toBe(1);
  });

  it("throws what reading the files throws", async () => {
    const clients = createClients({
      ingredients: () => Promise.reject(new Error("read ca.pem: ENOENT")),
      make: () => 1,
      close: () => {},
    });
    await expect(clients.use("read", async () => {})).rejects.toThrow("read ca.pem: ENOENT");
  });
});
