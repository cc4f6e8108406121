import { describe, expect, it } from "vitest";
import { hookSchema } from "../../src/cli/hook-schema.ts";
import { HookEvent, leaveCall } from "../../src/core/hooks.ts";

describe("the schema of what hooks read", () => {
  it("names every event and every field, and says what each is", () => {
    const schema = hookSchema() as {
      properties: Record<string, { description?: string; enum?: string[] }>;
      required: string[];
    };
    const node = { id: "a", incarnation: "a-1", agent_addr: "", api_addr: "", addr: "" };
    const facts = { outcome: null, first: null, members: null, role: "unknown", node, values: null } as const;
    const fields = Object.keys(leaveCall(null, facts).payload);
    expect(Object.keys(schema.properties).sort()).toEqual(fields.sort());
    expect(schema.required.toSorted()).toEqual(fields.toSorted());
    expect(schema.properties.event?.enum).toEqual(HookEvent.options);
    const silent = Object.entries(schema.properties).filter(([name, of]) => name !== "v" && !of.description);
    expect(silent).toEqual([]);
  });
});
