/** A text to the values of its documents: YAML, of which JSON is a part. Mistakes are named by their place, never by the text around them. */

/** `where` is `document 2`, counted over the whole text. */
export type Texts = {
  readonly values: readonly { readonly where: string; readonly value: unknown }[];
  readonly problems: readonly string[];
};

/** Bytes of a text, and documents in it, at most. */
const MOST_BYTES = 1024 * 1024;
const MOST_DOCUMENTS = 1_000;

/** Never throws. Documents without content are passed over; lists are taken apart. */
export async function readTexts(text: string): Promise<Texts> {
  if (Buffer.byteLength(text) > MOST_BYTES)
    return { values: [], problems: ["the text is larger than 1 MiB"] };
  const { values, problems } = await valuesIn(text.replace(/^\uFEFF/, ""));
  const documents = values.flatMap((value) => (Array.isArray(value) ? value : [value]));
  if (problems.length === 0 && documents.length === 0)
    return { values: [], problems: ["there is no document in the text"] };
  if (documents.length > MOST_DOCUMENTS)
    return { values: [], problems: [`there are more than ${MOST_DOCUMENTS} documents in the text`] };
  return { values: documents.map((value, at) => ({ where: `document ${at + 1}`, value })), problems };
}

type Values = { readonly values: readonly unknown[]; readonly problems: readonly string[] };

async function valuesIn(text: string): Promise<Values> {
  if (/^\s*[[{]/.test(text)) {
    // JSON is read by its own parser, which is faster. What that one refuses may still be YAML.
    try {
      return { values: [JSON.parse(text)], problems: [] };
    } catch {}
  }
  const { readYaml } = await import("../lib/yaml.ts");
  const read = readYaml(text);
  return read.ok
    ? { values: read.values.filter((value) => value !== null), problems: [] }
    : { values: [], problems: [`the text is not YAML: ${read.problem}`] };
}
