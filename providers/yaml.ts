/**
 * What is used of the YAML library. Loaded when a file is read. The name stands here statically because a bundled
 * CommonJS package, imported lazily itself, gives no names but `default`.
 */
export { parseDocument } from "yaml";
