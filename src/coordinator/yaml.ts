/**
 * What is used of the YAML library. Loaded when documents are read. The names stand here statically because a bundled
 * CommonJS package, imported lazily itself, gives no names but `default`.
 */
export { LineCounter, parseAllDocuments } from "yaml";
