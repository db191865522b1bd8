/** `threatflow query 'KQL'`: records as table, JSON, NDJSON or CSV; counts; most frequent values. */
import type { Command } from "commander";
import { ThreatflowError } from "../errors.js";
import { DATASETS, fieldOf } from "../records/fields.js";
import { cell, csvLine } from "../search/csv.js";
import { fieldValue } from "../search/field-value.js";
import type { Question, Search } from "../search/search.js";
import { openPlace, type Place } from "./place.js";
import { bold, number, table } from "./text.js";

interface Flags {
  data?: string;
  dataset?: string[];
  capture?: string[];
  since?: string;
  until?: string;
  from?: string;
  to?: string;
  sort?: string;
  limit: string;
  fields?: string;
  format?: string;
  json?: boolean;
  count?: boolean;
  top?: string;
}
const FORMATS = ["table", "json", "ndjson", "csv"];

/** Columns of a table where nobody named any. */
const COLUMNS: Readonly<Record<string, readonly string[]>> = {
  flow: [
    "@timestamp",
    "source.ip",
    "source.port",
    "destination.ip",
    "destination.port",
    "network.transport",
    "network.protocol",
    "network.packets",
    "network.bytes",
    "tcp.state",
    "flow.id",
  ],
  dns: ["@timestamp", "source.ip", "destination.ip", "dns.question.name", "dns.question.type", "dns.response_code", "dns.resolved_ip"],
  http: [
    "@timestamp",
    "source.ip",
    "destination.ip",
    "http.request.method",
    "url.full",
    "http.response.status_code",
    "user_agent.original",
  ],
  tls: [
    "@timestamp",
    "source.ip",
    "destination.ip",
    "tls.version",
    "tls.client.server_name",
    "tls.client.ja4",
    "tls.cipher",
    "tls.established",
  ],
  ssh: ["@timestamp", "source.ip", "destination.ip", "ssh.client.version", "ssh.server.version", "ssh.client.hassh"],
  arp: ["@timestamp", "arp.op_code", "arp.sender.mac", "arp.sender.ip", "arp.target.ip"],
  icmp: ["@timestamp", "source.ip", "destination.ip", "icmp.type", "icmp.code", "event.outcome"],
  anomaly: ["@timestamp", "anomaly.name", "anomaly.count", "anomaly.layer", "source.ip", "destination.ip", "threatflow.packet"],
  capture: ["@timestamp", "capture.format", "capture.read", "capture.decoded", "threatflow.capture.id"],
};
const MIXED = ["@timestamp", "event.dataset", "source.ip", "destination.ip", "network.protocol", "threatflow.packet"];
const several = (v: string, all: string[] = []): string[] => [...all, ...v.split(",")];

export function queryCommand(program: Command): void {
  program
    .command("query [kql]")
    .description("ask the records (KQL: fields, and/or/not, ranges, wildcards, CIDR)")
    .option("--data <dir>", "data folder")
    .option("--dataset <name>", `one of ${DATASETS.join(", ")}`, several)
    .option("--capture <id>", "capture id or a unique prefix", several)
    .option("--since <time>", "not before")
    .option("--until <time>", "before")
    .option("--from <time>", "the same as --since")
    .option("--to <time>", "the same as --until")
    .option("--sort <field>", "sort by a field; -field for descending")
    .option("--limit <n>", "most records", "100")
    .option("--fields <list>", "fields to show, separated by commas")
    .option("--format <f>", FORMATS.join(", "))
    .option("--json", "the same as --format json")
    .option("--count", "the number of records only")
    .option("--top <field>", "the most frequent values of a field")
    .action(async (kql: string | undefined, flags: Flags) => {
      const place = await openPlace(flags.data);
      const question = await questionOf(kql ?? "*", flags, place);
      const search = await place.search();
      try {
        if (flags.count) process.stdout.write(`${await search.count(question)}\n`);
        else if (flags.top) await top(search, question, flags);
        else await records(search, question, flags);
      } finally {
        search.close();
        await place.close();
      }
    });
}

async function questionOf(kql: string, f: Flags, place: Place): Promise<Question> {
  for (const d of f.dataset ?? [])
    if (!(DATASETS as readonly string[]).includes(d))
      throw new ThreatflowError("USAGE", `there is no dataset ${d}`, `one of ${DATASETS.join(", ")}`);
  const limit = f.limit === "all" ? Infinity : Number(f.limit);
  if (!(limit >= 0)) throw new ThreatflowError("USAGE", `--limit takes a number or all, not ${JSON.stringify(f.limit)}`);
  let captures: string[] | undefined;
  if (f.capture) captures = (await Promise.all(f.capture.map((c) => place.catalog.resolve(c)))).map((c) => c.id);
  return {
    query: kql,
    since: f.since ?? f.from,
    until: f.until ?? f.to,
    datasets: f.dataset ?? [],
    captures,
    limit,
    sort: f.sort ? { field: f.sort.replace(/^-/, ""), descending: f.sort.startsWith("-") } : undefined,
  };
}

async function top(search: Search, q: Question, f: Flags): Promise<void> {
  const rows = await search.top(q, f.top as string);
  if (f.json || f.format === "json") process.stdout.write(`${JSON.stringify(rows)}\n`);
  else
    process.stdout.write(
      `${table(
        ["count", f.top as string],
        rows.map((r) => [number(r.count), r.value]),
      )}\n`,
    );
}

async function records(search: Search, q: Question, f: Flags): Promise<void> {
  const format = f.json ? "json" : (f.format ?? "table");
  if (!FORMATS.includes(format)) throw new ThreatflowError("USAGE", `--format is one of ${FORMATS.join(", ")}`);
  const fields = f.fields?.split(",").map((n) => {
    if (!fieldOf(n) && !/^http\.(request|response)\.headers\./.test(n))
      throw new ThreatflowError("QUERY_FIELD", `there is no field ${n}`, "`threatflow fields` lists them");
    return n;
  });
  if (format === "ndjson" && !fields) {
    for await (const line of search.records(q)) process.stdout.write(`${line}\n`);
    return;
  }
  const rows: Record<string, unknown>[] = [];
  for await (const line of search.records(q)) rows.push(JSON.parse(line) as Record<string, unknown>);
  if (format === "json" || format === "ndjson") {
    const shown = fields ? rows.map((r) => Object.fromEntries(fields.map((n) => [n, fieldValue(r, n)]))) : rows;
    process.stdout.write(format === "json" ? `${JSON.stringify(shown)}\n` : shown.map((r) => `${JSON.stringify(r)}\n`).join(""));
    return;
  }
  const seen = new Set(rows.map((r) => String(fieldValue(r, "event.dataset"))));
  const columns = fields ?? (q.datasets.length === 1 ? COLUMNS[q.datasets[0]] : seen.size === 1 ? COLUMNS[[...seen][0]] : MIXED);
  const cells = rows.map((r) => columns.map((n) => cell(fieldValue(r, n))));
  if (format === "csv") process.stdout.write([columns, ...cells].map(csvLine).join(""));
  else if (rows.length === 0) process.stderr.write("no record matches\n");
  else {
    process.stdout.write(`${table(columns, cells)}\n`);
    if (rows.length === q.limit) process.stdout.write(bold(`(the first ${number(rows.length)}; --limit shows more)\n`));
  }
}
