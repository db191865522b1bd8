/** One query language: the store and the evaluator in memory give the same records for every question. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Entry, recordsOf } from "../dist/replay/records.js";
import { duckSearch } from "../dist/search/duckdb.js";
import { predicate } from "../dist/search/evaluate.js";
import { parseQuery } from "../dist/search/kql.js";
import type { Search } from "../dist/search/search.js";

const root = join(import.meta.dirname, "..");
const fixture = join(root, "fixtures", "pcaps", "mixed", "everything.pcap");
let dir: string;
let store: Search;
let entries: Entry[];
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "threatflow-query-"));
  const r = spawnSync(join(root, "bin", "threatflow"), ["analyze", fixture, "--data", dir, "--quiet"], { encoding: "utf8" });
  expect(r.status).toBe(0);
  store = await duckSearch(dir);
  entries = (await recordsOf(fixture)).entries;
});
afterAll(() => {
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Each with at least one record for an answer, except those behind `none`. */
const QUESTIONS = [
  "*",
  "event.dataset: dns",
  "event.dataset: (dns or http)",
  "not event.dataset: flow",
  "dns.question.name: *.example*",
  'dns.question.name: "alias.example"',
  "dns.question.type: (A or AAAA) and dns.response_code: *",
  "source.ip: 198.51.100.1",
  "source.ip: 198.51.100.0/24 and destination.port: 80",
  "related.ip: 198.51.100.*",
  "198.51.100.2",
  "destination.port >= 443 and destination.port <= 443",
  "destination.port < 100",
  "source.port > 1024 or destination.port > 1024",
  "http.response.status_code: 200",
  "http.response.status_code >= 400",
  "http.request.headers.host: *",
  "http.request.headers.user-agent: curl*",
  "http.request.headers: *",
  "tls: *",
  "tls.client.server_name: server.example",
  "tls.established: true",
  "tls.client.supported_ciphers: TLS_AES_256_GCM_SHA384",
  "dns.answers.type: A",
  "dns.answers.ttl: *",
  "threatflow.anomalies: *checksum*",
  "flow.final: true and network.bytes > 1000",
  "@timestamp: 2026",
  "@timestamp >= 2026-11-24T05:10:53",
  "@timestamp < 2026-11-24T05:10:53",
  "@timestamp > 2026-11-24T05:10:53",
  "@timestamp: 2026-11-24T05:10:54",
  "event.outcome: (failure or unknown)",
  "source.ip < 198.51.100.2",
  "network.transport: tcp and not (destination.port: 80 or destination.port: 443)",
] as const;
const NONE = [
  "source.ip: 203.0.113.0/24",
  "dns.question.name: nowhere",
  "flow.final: false",
  "@timestamp: 1999",
  "tls.client.ech: true",
] as const;

const storeIds = async (query: string): Promise<string[]> => {
  const ids: string[] = [];
  for await (const line of store.records({ query, datasets: [], captures: undefined, limit: 100000 })) ids.push(JSON.parse(line).event.id);
  return ids.sort();
};
const ownIds = (query: string): string[] => {
  const fits = predicate(parseQuery(query));
  return entries
    .filter((e) => fits(e.record))
    .map((e) => e.id)
    .sort();
};
test.each(QUESTIONS)("%s", async (query) => {
  const own = ownIds(query);
  expect(own.length).toBeGreaterThan(0);
  expect(await storeIds(query)).toEqual(own);
});
test.each(NONE)("%s: none", async (query) => {
  expect(ownIds(query)).toEqual([]);
  expect(await storeIds(query)).toEqual([]);
});
test.each([
  "nothing.such: 1",
  "dns.id <",
  "destination.port: many",
  "source.ip: 300.1.1.1",
  "http.request.headers.host > 3",
  "(a",
  "tls.established: 3",
])("%s: refused by both", async (query) => {
  expect(() => ownIds(query)).toThrow();
  await expect(storeIds(query)).rejects.toThrow();
});
