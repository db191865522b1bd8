/** docs/fields.md and docs/anomalies.md, from the schema and the decoders' tables. */
import { DATASETS, FIELDS, type Field } from "../fields.js";

const NOTE = "<!-- Written by `npm run docs`; a test compares. Do not edit. -->";
const cell = (text: string): string => text.replaceAll("|", "\\|");

export function fieldsMarkdown(): string {
  const row = (f: Field): string =>
    `| \`${f.name}\` | ${f.type}${f.list ? " []" : ""} | ${f.max ?? ""} | ${f.in ? f.in.join(", ") : "all"} | ${cell(f.doc)} |`;
  return [
    "# Fields",
    "",
    NOTE,
    "",
    `${FIELDS.length} fields; datasets: ${DATASETS.join(", ")}. Types are Elasticsearch's; \`[]\` is always an array in JSON. A field that is not known is`,
    "absent. `threatflow fields` prints the same; `--format elasticsearch` and `--format json-schema` give templates and schemas.",
    "",
    "| field | type | bytes at most | in | meaning |",
    "|---|---|---:|---|---|",
    ...(FIELDS as readonly Field[]).map(row),
    "",
  ].join("\n");
}

export function anomaliesMarkdown(anomalies: readonly { name: string; layer: string; text: string }[]): string {
  const sorted = [...anomalies].sort((a, b) => (a.layer === b.layer ? (a.name < b.name ? -1 : 1) : a.layer < b.layer ? -1 : 1));
  return [
    "# Anomalies",
    "",
    NOTE,
    "",
    "Names in `threatflow.anomalies` and `anomaly.name`: what was odd about packets, streams and messages. Each is counted once per flow in the dataset",
    "`anomaly`, with the packet where it was first met.",
    "",
    "| layer | name | what was met |",
    "|---|---|---|",
    ...sorted.map((a) => `| ${a.layer} | \`${a.name}\` | ${cell(a.text)} |`),
    "",
  ].join("\n");
}
