/** The first tables. */
import type { ColumnDefinitionBuilder, CreateTableBuilder, SchemaModule } from "kysely";
import type { Words } from "../schema.ts";

const key = (column: ColumnDefinitionBuilder) => column.primaryKey().notNull();
const needed = (column: ColumnDefinitionBuilder) => column.notNull();

/** Makes every table of version 1. */
export async function up(schema: SchemaModule, words: Words): Promise<void> {
  await log(schema, words);
  await clusters(schema, words);
  await settings(schema, words);
}

async function log(schema: SchemaModule, { whole, counted }: Words): Promise<void> {
  const named = (table: string) =>
    schema
      .createTable(table)
      .addColumn("id", whole, counted)
      .addColumn("name", "text", (column) => needed(column).unique());
  await schema
    .createTable("log")
    .addColumn("newest", whole, needed)
    .addColumn("removed", whole, needed)
    .execute();
  await named("sources").execute();
  await named("scopes").addColumn("seq", whole, needed).addColumn("fence", whole, needed).execute();
  await schema
    .createTable("events")
    .addColumn("position", whole, key)
    .addColumn("scope", whole, (column) => needed(column).references("scopes.id"))
    .addColumn("seq", whole, needed)
    .addColumn("type", "text", needed)
    .addColumn("subject", "text", needed)
    .addColumn("at", whole, needed)
    .addColumn("source", whole, (column) => needed(column).references("sources.id"))
    .addColumn("before", "text")
    .addColumn("after", "text")
    .execute();
  // One for each way in which pages are asked for: each is then read from its place on, whatever else the log holds.
  const on = (name: string) => schema.createIndex(name).on("events");
  await on("events_by_id").unique().columns(["scope", "seq"]).execute();
  await on("events_by_scope").columns(["scope", "position"]).execute();
  await on("events_by_type").columns(["type", "position"]).execute();
  await on("events_by_scope_and_type").columns(["scope", "type", "position"]).execute();
}

async function clusters(schema: SchemaModule, { whole }: Words): Promise<void> {
  const ofScope = (table: string) =>
    schema.createTable(table).addColumn("scope", whole, (column) => key(column).references("scopes.id"));
  await ofScope("snapshots").addColumn("seq", whole, needed).addColumn("facts", "text").execute();
  await ofScope("clusters")
    .addColumn("version", whole, needed)
    .addColumn("facts", "text", needed)
    .addColumn("marks", "text", needed)
    .execute();
}

async function settings(schema: SchemaModule, { whole }: Words): Promise<void> {
  const withRun = <T extends string, C extends string>(table: CreateTableBuilder<T, C>) =>
    table
      .addColumn("next_at", whole)
      .addColumn("started_at", whole)
      .addColumn("ended_at", whole)
      .addColumn("error", "text");
  await withRun(
    schema
      .createTable("discoveries")
      .addColumn("name", "text", key)
      .addColumn("settings", "text", needed)
      .addColumn("document", "text", needed),
  ).execute();
  await schema
    .createTable("records")
    .addColumn("discovery", "text", (column) =>
      needed(column).references("discoveries.name").onDelete("cascade"),
    )
    .addColumn("cluster_id", "text", needed)
    .addColumn("record", "text", needed)
    .addPrimaryKeyConstraint("records_key", ["discovery", "cluster_id"])
    .execute();
  await withRun(
    schema
      .createTable("settings")
      .addColumn("cluster_id", "text", key)
      .addColumn("settings", "text", needed)
      .addColumn("synthetic", "integer", needed)
      .addColumn("document", "text"),
  ).execute();
}
