/** `threatflow fields`: the schema, for people and for other programs. */
import { type Command, Option } from "commander";
import { ThreatflowError } from "../errors.js";
import { DATASETS, FIELDS, type Field } from "../records/fields.js";
import { indexTemplate } from "../records/formats/elasticsearch.js";
import { jsonSchema } from "../records/formats/json-schema.js";
import { fieldsMarkdown } from "../records/formats/markdown.js";
import { table } from "./text.js";

interface Flags {
  format: "table" | "json" | "markdown" | "json-schema" | "elasticsearch";
}

export function fieldsCommand(program: Command): void {
  program
    .command("fields [name]")
    .description("the fields that records have; a name shows that field and those below it")
    .addOption(
      new Option("--format <format>", "how").choices(["table", "json", "markdown", "json-schema", "elasticsearch"]).default("table"),
    )
    .action((name: string | undefined, f: Flags) => {
      process.stdout.write(text(name, f.format));
    });
}

function text(name: string | undefined, format: Flags["format"]): string {
  const byDataset = (make: (dataset: string) => unknown): string =>
    `${JSON.stringify(Object.fromEntries(DATASETS.map((d) => [d, make(d)])), null, 2)}\n`;
  if (format === "markdown") return fieldsMarkdown();
  if (format === "json-schema") return byDataset(jsonSchema);
  if (format === "elasticsearch") return byDataset(indexTemplate);
  const found = (FIELDS as readonly Field[]).filter((x) => !name || x.name === name || x.name.startsWith(`${name}.`));
  if (found.length === 0) throw new ThreatflowError("QUERY_FIELD", `there is no field ${name}`, "`threatflow fields` lists them");
  if (format === "json") return found.map((x) => `${JSON.stringify(x)}\n`).join("");
  const rows = found.map((x) => [x.name + (x.list ? "[]" : ""), x.type, (x.in ?? ["all"]).join(" "), x.doc]);
  return `${table(["field", "type", "in", "meaning"], rows)}\n`;
}
