/** One query language: both stores and the evaluator in memory give the same records for every question, in the same order. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Entry, recordsOf } from "../dist/replay/records.js";
import { duckSearch } from "../dist/search/duckdb.js";
import { connectElastic } from "../dist/search/elastic.js";
import { elasticSearch } from "../dist/search/elasticsearch.js";
import { predicate } from "../dist/search/evaluate.js";
import { parseQuery } from "../dist/search/kql.js";
import type { Search } from "../dist/search/search.js";
import { type TestCluster, testCluster } from "./support/cluster.js";

const root = join(import.meta.dirname, "..");
const fixture = join(root, "fixtures", "pcaps", "mixed", "everything.pcap");
let dir: string;
let duck: Search;
let elastic: Search;
let cluster: TestCluster;
let entries: Entry[];
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "threatflow-query-"));
  const r = spawnSync(join(root, "bin", "threatflow"), ["analyze", fixture, "--data", dir, "--quiet"], { encoding: "utf8" });
  expect(r.status).toBe(0);
  duck = await duckSearch(dir);
  cluster = await testCluster();
  await cluster.worker(2);
  expect((await cluster.run("analyze", fixture, "--quiet")).status).toBe(0);
  elastic = elasticSearch(await connectElastic({ elasticsearch: cluster.env.ELASTICSEARCH_URL, index_prefix: cluster.prefix } as never));
  entries = (await recordsOf(fixture)).entries;
});
afterAll(async () => {
  duck.close();
  await cluster.close();
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
  "http.request.headers.user-agent: *url*",
  "not http.request.headers.user-agent: *url*",
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
  "not (dns.question.name: * or http.request.method: *)",
  "not (not dns.question.type: A)",
  "not (destination.port: 80 and not http.response.status_code: 200)",
  "destination.port: 53 or not (destination.port: 80 or tls: *)",
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

const linesOf = async (store: Search, query: string, more: object = {}): Promise<string[]> => {
  const lines: string[] = [];
  for await (const line of store.records({ query, datasets: [], captures: undefined, limit: 100000, ...more })) lines.push(line);
  return lines;
};
/** The ids that both stores give, which must be the same lines in the same order. */
const storeIds = async (query: string): Promise<string[]> => {
  const lines = await linesOf(duck, query);
  expect(await linesOf(elastic, query)).toEqual(lines);
  const question = { query, datasets: [], captures: undefined, limit: Infinity };
  expect(await duck.count(question)).toBe(lines.length);
  expect(await elastic.count(question)).toBe(lines.length);
  return lines.map((line) => JSON.parse(line).event.id).sort();
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
  await expect(linesOf(duck, query)).rejects.toThrow();
  await expect(linesOf(elastic, query)).rejects.toThrow();
});

const SORTS = ["destination.port", "source.ip", "network.bytes", "event.end", "dns.question.name", "flow.final", "event.duration"];
test.each(SORTS.flatMap((field) => [false, true].map((descending) => [field, descending] as const)))(
  "sorted by %s, descending: %s",
  async (field, descending) => {
    const own = await linesOf(duck, "*", { sort: { field, descending } });
    expect(await linesOf(elastic, "*", { sort: { field, descending } })).toEqual(own);
  },
);
const TOPS = [
  "source.ip",
  "destination.port",
  "related.ip",
  "threatflow.anomalies",
  "dns.question.type",
  "tls.established",
  "url.domain",
  "http.response.status_code",
];
test.each(TOPS)("the most frequent values of %s", async (field) => {
  const question = { query: "not source.ip: 203.0.113.1", datasets: [], captures: undefined, limit: 7 };
  const own = await duck.top(question, field);
  expect(own.length).toBeGreaterThan(0);
  expect(await elastic.top(question, field)).toEqual(own);
});
test("records over time, and who talked to whom", async () => {
  const question = { query: "*", datasets: [], captures: undefined, limit: 1000 };
  for (const most of [5, 60, 240]) expect(await elastic.histogram(question, most)).toEqual(await duck.histogram(question, most));
  const links = await duck.links(question);
  expect(links.length).toBeGreaterThan(2);
  expect(await elastic.links(question)).toEqual(links);
  for (const ends of [
    ["source.mac", "destination.mac"],
    ["source.mac", "source.ip"],
    ["destination.mac", "destination.ip"],
  ] as const) {
    const own = await duck.links(question, ends);
    expect(own.length).toBeGreaterThan(0);
    expect(await elastic.links(question, ends)).toEqual(own);
  }
  const span = { ...question, since: "2026-11-24T05:10:53", until: "2026-11-24T05:10:54" };
  expect(await duck.count(span)).toBeGreaterThan(0);
  expect(await elastic.count(span)).toBe(await duck.count(span));
});
test("answers may be read beside each other", async () => {
  for (const store of [duck, elastic]) {
    const question = { query: "*", datasets: [], captures: undefined, limit: Infinity };
    const whole = await linesOf(store, "*");
    const readers = [
      store.records(question),
      store.records(question),
      store.records({ ...question, sort: { field: "event.id", descending: true } }),
    ].map((r) => r[Symbol.asyncIterator]());
    const read: string[][] = [[], [], []];
    for (let open = 3; open > 0; ) {
      open = 0;
      for (const [i, r] of readers.entries()) {
        const { value, done } = await r.next();
        if (done) continue;
        open++;
        read[i].push(value);
      }
      expect(await store.count(question)).toBe(whole.length);
    }
    expect(read[0]).toEqual(whole);
    expect(read[1]).toEqual(whole);
    expect([...read[2]].sort()).toEqual([...whole].sort());
  }
});
test("pages of any size put together are the whole", async () => {
  const whole = await linesOf(duck, "*");
  for (const store of [duck, elastic])
    for (const limit of [1, 7, 50]) {
      const pages: string[] = [];
      for (let from = 0; from < Math.min(whole.length, limit * 8); from += limit)
        pages.push(...(await linesOf(store, "*", { from, limit })));
      expect(pages).toEqual(whole.slice(0, pages.length));
    }
});
test.each(["related.ip", "http.request.headers", "nothing"])("%s cannot be sorted by", async (field) => {
  for (const store of [duck, elastic])
    await expect(linesOf(store, "*", { sort: { field, descending: false } })).rejects.toMatchObject({ code: "QUERY_FIELD" });
});

test("a search that stays open sees what was imported again with other options, and what was deleted", async () => {
  const own = mkdtempSync(join(tmpdir(), "threatflow-query-"));
  const run = (...args: string[]) =>
    spawnSync(join(root, "bin", "threatflow"), [...args, "--data", own], {
      encoding: "utf8",
      env: { ...process.env, REDIS_URL: "", ELASTICSEARCH_URL: "" },
    });
  run("analyze", fixture, "--quiet");
  const search = await duckSearch(own);
  const question = { query: "*", datasets: ["flow"], captures: undefined, limit: 1000 };
  const asked = async (): Promise<[number, number]> => {
    let n = 0;
    for await (const _ of search.records(question)) n++;
    return [n, await search.count(question)];
  };
  try {
    expect(await asked()).toEqual([36, 36]);
    run("analyze", fixture, "--force", "--filter", "udp", "--quiet");
    const [records, count] = await asked();
    expect([records < 36, records === count]).toEqual([true, true]);
    const id = JSON.parse(run("captures", "list", "--json").stdout).id;
    expect(run("delete", id).status).toBe(0);
    expect(await asked()).toEqual([0, 0]);
  } finally {
    search.close();
    rmSync(own, { recursive: true, force: true });
  }
});

test("a page is that part of the whole answer, wherever it stands, from either end", async () => {
  const more = mkdtempSync(join(tmpdir(), "threatflow-pages-"));
  try {
    const large = join(more, "large.pcap");
    for (const [command, ...args] of [
      [join(root, ".node", "bin", "node"), "scripts/generate-capture.ts", large, "40"],
      [join(root, "bin", "threatflow"), "analyze", large, fixture, "--data", more, "--quiet"],
    ])
      expect(spawnSync(command, args, { cwd: root }).status).toBe(0);
    const store = await duckSearch(more);
    for (const query of ["*", "network.protocol: dns", "source.port > 40000"]) {
      const whole = await linesOf(store, query);
      expect(whole.length).toBeGreaterThan(1000);
      const times = whole.map((line) => JSON.parse(line)["@timestamp"]);
      expect(times).toEqual([...times].sort());
      for (const from of [0, 50, 999, 1000, 1050, whole.length - 60, whole.length - 3, whole.length])
        for (const descending of [false, true]) {
          const page = await linesOf(store, query, { from, limit: 50, sort: { field: "@timestamp", descending } });
          const place = (line: string): string => JSON.parse(line)["@timestamp"];
          const ordered = descending ? times.toReversed() : times;
          expect([from, descending, page.map(place)]).toEqual([from, descending, ordered.slice(from, from + 50)]);
          if (!descending) expect(page).toEqual(whole.slice(from, from + 50));
        }
      for (const [since, until] of [
        [times[3], times.at(-3)],
        [times[500], undefined],
        [undefined, times[40]],
        ["2038", undefined],
      ]) {
        const inside = whole.filter((_, n) => (since === undefined || times[n] >= since) && (until === undefined || times[n] < until));
        expect(await linesOf(store, query, { since, until, limit: 50 })).toEqual(inside.slice(0, 50));
        expect(await store.count({ query, since, until, datasets: [], captures: undefined, limit: 0 })).toBe(inside.length);
      }
    }
    store.close();
  } finally {
    rmSync(more, { recursive: true, force: true });
  }
});
