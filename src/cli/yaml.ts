/**
 * What is used of the YAML library. Loaded when a YAML file is read. The names stand here statically because a
 * bundled CommonJS package, imported lazily itself, gives no names but `default`.
 */
export { LineCounter, parseAllDocuments, parseDocument, stringify } from "yaml";
