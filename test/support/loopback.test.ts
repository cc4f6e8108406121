import { createServer } from "node:net";
import { expect, it } from "vitest";
import { freePlace, freePort } from "./loopback.ts";

const HOST = "127.0.0.1";

it("gives no port twice, whether or not it is in use yet", async () => {
  const ports: number[] = [];
  for (let i = 0; i < 1_000; i += 1) ports.push(await freePort(HOST));
  const { ports: place } = await freePlace(HOST, ["a", "b"]);
  expect(new Set([...ports, place.a, place.b]).size).toBe(1_002);
});

it("gives no port that somebody listens on", async () => {
  const next = (await freePort(HOST)) + 1;
  const server = createServer().listen(next, HOST);
  await new Promise((resolve) => server.once("listening", resolve));
  const given = await freePort(HOST);
  await new Promise((resolve) => server.close(resolve));
  expect(given).not.toBe(next);
});
