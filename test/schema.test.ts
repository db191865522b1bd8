/** The schema's other forms say the same as the schema, and docs are what the schema says. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Compile } from "typebox/schema";
import { anomalies } from "../dist/decoders/anomalies.js";
import { DATASETS, FIELDS } from "../dist/records/fields.js";
import { indexTemplate, properties } from "../dist/records/formats/elasticsearch.js";
import { jsonSchema } from "../dist/records/formats/json-schema.js";
import { anomaliesMarkdown, fieldsMarkdown } from "../dist/records/formats/markdown.js";
import { decode } from "./support/decode.ts";

const ROOT = join(import.meta.dirname, "..");
const mixed = join(ROOT, "fixtures", "pcaps", "mixed", "everything.pcap");

test("every record of the mixed fixture fits the JSON Schema, and a strange field does not", async () => {
  const { text } = await decode(mixed);
  let checked = 0;
  for (const [dataset, lines] of text) {
    const schema = Compile(jsonSchema(dataset) as never);
    for (const line of lines.split("\n").filter(Boolean)) {
      const record = JSON.parse(line);
      if (!schema.Check(record)) expect({ line, errors: schema.Errors(record) }).toBeUndefined();
      expect(schema.Check({ ...record, strange: 1 })).toBe(false);
      checked++;
    }
  }
  expect(checked).toBeGreaterThan(100);
});

test("each Elasticsearch mapping is strict, below 350 fields, and has each field of its dataset", () => {
  for (const dataset of DATASETS) {
    const leaves = (o: Record<string, any>, prefix = ""): string[] =>
      Object.entries(o).flatMap(([k, v]) =>
        v.properties && Object.keys(v.properties).length ? leaves(v.properties, `${prefix}${k}.`) : [`${prefix}${k}`],
      );
    const names = leaves(properties(dataset));
    const want = FIELDS.filter((f) => !("in" in f) || (f.in as readonly string[]).includes(dataset)).filter(
      (f) => f.type !== "object" || !FIELDS.some((g) => g.name.startsWith(`${f.name}.`)),
    );
    expect(names.sort()).toEqual(want.map((f) => f.name).sort());
    expect(names.length).toBeLessThan(350);
    expect(indexTemplate(dataset).template.mappings).toMatchObject({ dynamic: "strict" });
  }
});

test("docs/fields.md and docs/anomalies.md are current (`npm run docs` writes them)", () => {
  expect(readFileSync(join(ROOT, "docs", "fields.md"), "utf8")).toBe(fieldsMarkdown());
  expect(readFileSync(join(ROOT, "docs", "anomalies.md"), "utf8")).toBe(anomaliesMarkdown(anomalies));
});

test("`npm run new-protocol` makes a protocol that compiles and is registered", () => {
  const copy = mkdtempSync(join(tmpdir(), "threatflow-protocol-"));
  try {
    for (const f of ["src", "scripts", "tsconfig.json", "package.json"]) cpSync(join(ROOT, f), join(copy, f), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
    const made = spawnSync(process.execPath, [join(copy, "scripts", "new-protocol.mjs"), "whois", copy], { encoding: "utf8" });
    expect(made).toMatchObject({ status: 0, stderr: "" });
    const again = spawnSync(process.execPath, [join(copy, "scripts", "new-protocol.mjs"), "whois", copy], { encoding: "utf8" });
    expect(again.status).toBe(1);
    const types = spawnSync(join(ROOT, "node_modules", ".bin", "tsc"), ["--noEmit", "-p", join(copy, "tsconfig.json")], {
      encoding: "utf8",
    });
    expect(types.stdout).toBe("");
    expect(readFileSync(join(copy, "src", "decoders", "registry.ts"), "utf8")).toMatch(/\bwhois\b.*\];/s);
    expect(readFileSync(join(copy, "src", "records", "fields.ts"), "utf8")).toContain('"whois.question"');
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
});
