/** The schema as DuckDB sees it: a column for each field under its dotted name, the record itself as `_record`, and `<ip field>#hex`: 32 hex digits that sort and compare as addresses do. */
import { type Field, fieldsOf } from "./fields.js";

const TYPES: Readonly<Record<Field["type"], string>> = {
  keyword: "VARCHAR",
  long: "BIGINT",
  boolean: "BOOLEAN",
  ip: "VARCHAR",
  date: "TIMESTAMP",
  date_nanos: "TIMESTAMP_NS",
  flattened: "JSON",
  object: "JSON",
};
export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`;
export const quoteText = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Fields that get a column: those inside an array of objects do not, the array does. */
export function columnsOf(dataset: string): Field[] {
  const fields = fieldsOf(dataset).filter((f) => f.name !== "event.ingested");
  const objects = fields.filter((f) => f.type === "object").map((f) => `${f.name}.`);
  return fields.filter((f) => !objects.some((o) => f.name.startsWith(o)));
}
export const columnType = (f: Field): string => (f.list && f.type !== "object" ? `${TYPES[f.type]}[]` : TYPES[f.type]);

/** The structure that json_transform reads a line into. */
export function structureOf(dataset: string): string {
  const root: Record<string, unknown> = {};
  for (const f of columnsOf(dataset)) {
    const parts = f.name.split(".");
    let at = root;
    for (const p of parts.slice(0, -1)) {
      at[p] ??= {};
      at = at[p] as Record<string, unknown>;
    }
    const type = TYPES[f.type];
    at[parts.at(-1) as string] = f.list && f.type !== "object" ? [type] : type;
  }
  return JSON.stringify(root);
}

/** SQL that reads a field out of the structure `s`. */
const path = (name: string): string => `s.${name.split(".").map(quoteName).join(".")}`;

/** Address text → 32 hex digits, as SQL: IPv4 as ::ffff:a.b.c.d. */
export const ADDRESS_MACROS = [
  `CREATE OR REPLACE MACRO ip4_number(w) AS w[1]::BIGINT * 16777216 + w[2]::INT * 65536 + w[3]::INT * 256 + w[4]::INT`,
  `CREATE OR REPLACE MACRO ip4_hex(t) AS '00000000000000000000ffff' || right(lower(to_hex(4294967296 + ip4_number(string_split(t, '.')))), 8)`,
  `CREATE OR REPLACE MACRO ip6_words(t) AS list_filter(string_split(t, ':'), x -> x <> '')`,
  `CREATE OR REPLACE MACRO ip6_hex(t) AS array_to_string(list_transform(CASE WHEN contains(t, '::')
     THEN list_concat(list_concat(ip6_words(split_part(t,'::',1)), list_transform(range(8 - len(ip6_words(t))), x -> '0')), ip6_words(split_part(t,'::',2)))
     ELSE ip6_words(t) END, x -> lpad(x, 4, '0')), '')`,
  `CREATE OR REPLACE MACRO ip_hex(t) AS CASE WHEN t IS NULL THEN NULL WHEN NOT contains(t, ':') THEN ip4_hex(t) WHEN contains(t, '.') THEN ip4_hex(regexp_extract(t, '[0-9.]+$')) ELSE ip6_hex(t) END`,
];

export function selectList(dataset: string): string {
  const out: string[] = [];
  for (const f of columnsOf(dataset)) {
    out.push(`${path(f.name)} AS ${quoteName(f.name)}`);
    if (f.type === "ip")
      out.push(
        `${f.list ? `list_transform(${path(f.name)}, x -> ip_hex(x))` : `ip_hex(${path(f.name)})`} AS ${quoteName(`${f.name}#hex`)}`,
      );
  }
  out.push("line AS _record");
  return out.join(", ");
}
