/** Metrics in Prometheus' text format, by hand: they are too few for a library. */

/** One metric with its values; each value's labels are told apart by it. */
export type Metric = {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter";
  readonly values: readonly { readonly labels?: Readonly<Record<string, string>>; readonly value: number }[];
};

/** Metrics as text. */
export function metricsPage(metrics: readonly Metric[]): string {
  const lines: string[] = [];
  for (const { name, help, type, values } of metrics) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const { labels = {}, value } of values) {
      const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
      lines.push(`${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

/** A gauge with one value. `name` without its prefix. */
export function gauge(name: string, help: string, value: number, labels?: Record<string, string>): Metric {
  return {
    name: `rollcall_${name}`,
    help,
    type: "gauge",
    values: [labels === undefined ? { value } : { value, labels }],
  };
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
