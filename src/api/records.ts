/** Records: search, count, top values, histogram, topology, export; the fields there are; filters explained. */
import type { FastifyInstance } from "fastify";
import { ThreatflowError } from "../errors.js";
import { readFilter } from "../ingest/filter.js";
import { explain } from "../ingest/filter-explain.js";
import { DATASETS, FIELDS } from "../records/fields.js";
import { linktypeNumber } from "../records/protocols.js";
import { csvLine } from "../search/csv.js";
import { fieldValue } from "../search/field-value.js";
import { HOSTS, type Question } from "../search/search.js";
import { says } from "./openapi.js";
import type { View } from "./scope.js";

const MAX_SIZE = 10000;
const MAX_QUERY = 10000;
interface Query {
  q?: string;
  dataset?: string;
  capture?: string;
  since?: string;
  until?: string;
  size?: number;
  from?: number;
  sort?: string;
  field?: string;
  fields?: string;
  format?: string;
  buckets?: number;
  level?: "ip" | "mac";
}
interface Host {
  ip?: string;
  mac?: string;
  bytes: number;
  flows: number;
  links: number;
  /** Of an adapter: how many addresses stand behind it, the first of them, and whether it looks like a gateway. */
  addresses?: number;
  some?: string[];
  gateway?: boolean;
}
/** An adapter with so many addresses passes on what others send. */
const GATEWAY_ADDRESSES = 4;
const SOME = 5;
const text = { type: "string", maxLength: MAX_QUERY };
const ASK = {
  q: { ...text, description: "KQL" },
  dataset: { ...text, description: `of ${DATASETS.join(", ")}; several with commas` },
  capture: { ...text, description: "capture ids or prefixes; several with commas" },
  since: text,
  until: text,
};
const querystring = (more: object): object => ({ type: "object", properties: { ...ASK, ...more } });

export async function recordRoutes(app: FastifyInstance): Promise<void> {
  const question = async (b: View, q: Query, limit: number): Promise<Question> => {
    const datasets = q.dataset ? q.dataset.split(",") : [];
    for (const d of datasets)
      if (!(DATASETS as readonly string[]).includes(d))
        throw new ThreatflowError("USAGE", `there is no dataset ${d}`, `one of ${DATASETS.join(", ")}`);
    const captures = q.capture ? (await Promise.all(q.capture.split(",").map((c) => b.resolve(c)))).map((c) => c.id) : undefined;
    const sort = q.sort ? { field: q.sort.replace(/^-/, ""), descending: q.sort.startsWith("-") } : undefined;
    return { query: q.q?.trim() || "*", since: q.since, until: q.until, datasets, captures, limit, from: q.from, sort };
  };

  app.get<{ Querystring: Query }>(
    "/api/records",
    {
      schema: {
        querystring: querystring({
          size: { type: "integer", minimum: 0, maximum: MAX_SIZE },
          from: { type: "integer", minimum: 0 },
          sort: { ...text, description: "a field; -field for descending" },
        }),
      },
      ...says("records that match, in order of time"),
    },
    async (q, reply) => {
      const asked = await question(q.view, q.query, q.query.size ?? 50);
      const lines: string[] = [];
      if (asked.limit > 0) for await (const line of q.view.search.records(asked)) lines.push(line);
      const total = await q.view.search.count(asked);
      // The lines are JSON already: numbers beyond 2^53 stay as they are.
      return reply.header("content-type", "application/json; charset=utf-8").send(`{"total":${total},"records":[${lines.join(",")}]}`);
    },
  );
  app.get<{ Querystring: Query }>(
    "/api/export",
    {
      schema: { querystring: querystring({ format: { enum: ["ndjson", "csv"] }, fields: text, size: { type: "integer", minimum: 1 } }) },
      ...says("all records that match as NDJSON or CSV"),
    },
    async (q, reply) => {
      const asked = await question(q.view, q.query, q.query.size ?? Infinity);
      const csv = q.query.format === "csv";
      const fields = (
        q.query.fields ?? "@timestamp,event.dataset,source.ip,source.port,destination.ip,destination.port,network.protocol"
      ).split(",");
      const lines = async function* (): AsyncGenerator<string> {
        if (csv) yield csvLine(fields);
        for await (const line of q.view.search.records(asked))
          yield csv ? csvLine(fields.map((f) => fieldValue(JSON.parse(line), f))) : `${line}\n`;
      };
      const { Readable } = await import("node:stream");
      return reply
        .header("content-type", csv ? "text/csv; charset=utf-8" : "application/x-ndjson")
        .header("content-disposition", `attachment; filename="records.${csv ? "csv" : "ndjson"}"`)
        .send(Readable.from(lines()));
    },
  );
  app.get<{ Querystring: Query }>(
    "/api/top",
    {
      schema: {
        querystring: { ...querystring({ field: text, size: { type: "integer", minimum: 1, maximum: 1000 } }), required: ["field"] },
      },
      ...says("the most frequent values of a field"),
    },
    async (q) => ({
      field: q.query.field,
      values: await q.view.search.top(await question(q.view, q.query, q.query.size ?? 10), q.query.field as string),
    }),
  );
  app.get<{ Querystring: Query }>(
    "/api/histogram",
    { schema: { querystring: querystring({ buckets: { type: "integer", minimum: 1, maximum: 1000 } }) }, ...says("records over time") },
    async (q) => q.view.search.histogram(await question(q.view, q.query, Infinity), q.query.buckets ?? 120),
  );
  app.get<{ Querystring: Query }>(
    "/api/topology",
    {
      schema: { querystring: querystring({ size: { type: "integer", minimum: 1, maximum: MAX_SIZE }, level: { enum: ["ip", "mac"] } }) },
      ...says("hosts, and the links between them by bytes; level=mac: adapters, with the addresses behind each"),
    },
    async (q) => {
      const mac = q.query.level === "mac";
      const asked = await question(q.view, q.query, q.query.size ?? 2000);
      const links = await q.view.search.links(asked, mac ? ["source.mac", "destination.mac"] : HOSTS);
      const hosts = new Map<string, Host>();
      for (const l of links)
        for (const id of new Set([l.source, l.destination])) {
          const h = hosts.get(id) ?? { [mac ? "mac" : "ip"]: id, bytes: 0, flows: 0, links: 0 };
          h.bytes += l.bytes;
          h.flows += l.flows;
          h.links++;
          hosts.set(id, h);
        }
      if (mac) await addresses(q.view, asked, hosts);
      return { hosts: [...hosts.values()].sort((x, y) => y.bytes - x.bytes), links };
    },
  );
  app.get("/api/fields", says("every field: name, type, datasets, meaning", { quiet: true }), async () => ({
    fields: FIELDS,
    datasets: DATASETS,
  }));
  app.get<{ Querystring: { filter: string; linktype?: string } }>(
    "/api/filters/explain",
    {
      schema: {
        querystring: {
          type: "object",
          required: ["filter"],
          properties: { filter: { type: "string", maxLength: 200000 }, linktype: { type: "string" } },
        },
      },
      ...says("a filter compiled, verified and explained", { quiet: true }),
    },
    async (q) => {
      const linktype = linktypeNumber(q.query.linktype ?? "ETHERNET");
      if (linktype === undefined) throw new ThreatflowError("USAGE", `there is no link type ${q.query.linktype}`);
      const program = readFilter(q.query.filter.replace(/^@+/, "")).program(linktype);
      return { program: [...program], ...explain(program, linktype, 262144) };
    },
  );
}

async function addresses(view: View, asked: Question, hosts: ReadonlyMap<string, Host>): Promise<void> {
  const behind = new Map<string, Set<string>>();
  for (const ends of [
    ["source.mac", "source.ip"],
    ["destination.mac", "destination.ip"],
  ] as const)
    for (const { source, destination } of await view.search.links({ ...asked, limit: MAX_SIZE }, ends)) {
      const all = behind.get(source) ?? new Set();
      behind.set(source, all.add(destination));
    }
  for (const [mac, ips] of behind) {
    const h = hosts.get(mac);
    if (h) Object.assign(h, { addresses: ips.size, some: [...ips].sort().slice(0, SOME), gateway: ips.size >= GATEWAY_ADDRESSES });
  }
}
