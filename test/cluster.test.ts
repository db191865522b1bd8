/** Spread over workers: the same records as on one machine, once each, and words that help where a server is missing. */
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { DEFAULT_DECODE } from "../dist/config.js";
import { openCluster } from "../dist/jobs/cluster.js";
import { importKey } from "../dist/jobs/import-key.js";
import { submit } from "../dist/jobs/submit.js";
import { fixture, linesIn, type TestCluster, testCluster } from "./support/cluster.js";

const MIXED = fixture("mixed/everything.pcap");
let c: TestCluster;
beforeAll(async () => {
  c = await testCluster();
  await c.worker(2);
});
afterAll(() => c.close());

async function expectSameRecords(file: string, ...flags: string[]): Promise<void> {
  const here = join(c.dir, "here");
  const there = join(c.dir, "there");
  expect((await c.alone("analyze", file, "--ndjson", here, "--quiet")).status).toBe(0);
  const r = await c.run("analyze", file, "--ndjson", there, "--quiet", "--json", ...flags);
  expect(r.stderr).toBe("");
  expect(r.status).toBe(0);
  expect(linesIn(there)).toEqual(linesIn(here));
  const summary = JSON.parse(r.stdout);
  for (const [dataset, lines] of linesIn(here)) {
    expect(summary.records[dataset]).toBe(lines.length);
    const documents = await c.documents(dataset);
    const own = [...documents.values()].filter((d) => d.line.includes(summary.capture.id));
    expect(own.map((d) => d.line).sort()).toEqual(lines.map((l) => JSON.stringify(JSON.parse(l))).sort());
  }
}

test.each(["mixed/everything.pcap", "tls/handshakes.pcap", "dns/queries.pcap"])(
  "%s: the same records in Elasticsearch as in NDJSON",
  (name) => expectSameRecords(fixture(name)),
);
test.each(["1", "3", "8"])("%s shards: the same records", (shards) => expectSameRecords(MIXED, "--shards", shards, "--force"));

test("importing again writes nothing and says so; --ndjson is written from the store", async () => {
  const before = await c.documents("flow");
  const r = await c.run("analyze", MIXED, "--json", "--quiet", "--ndjson", join(c.dir, "again"));
  expect(JSON.parse(r.stdout)).toMatchObject({ already_imported: true, status: "complete", accounting: { read: 288 } });
  const versions = (m: typeof before): unknown => [...m].map(([id, d]) => [id, d.version]);
  expect(versions(await c.documents("flow"))).toEqual(versions(before));
  expect(linesIn(join(c.dir, "again")).get("flow")).toHaveLength(36);
});

test("other options: refused with what differs; --force replaces and leaves no orphan", async () => {
  const r = await c.run("analyze", MIXED, "--filter", "udp", "--quiet");
  expect(r.status).toBe(1);
  expect(r.stderr).toMatch(/other options: filter was null, now "udp"; --force/);
  const forced = await c.run("analyze", MIXED, "--filter", "udp", "--quiet", "--json", "--force");
  expect(JSON.parse(forced.stdout).records.http).toBeUndefined();
  const id = JSON.parse(forced.stdout).capture.id;
  expect((await c.run("query", "event.dataset: http", "--count", "--capture", id)).stdout.trim()).toBe("0");
  await c.run("analyze", MIXED, "--quiet", "--force");
  expect((await c.run("query", "event.dataset: http", "--count", "--capture", id)).stdout.trim()).toBe("14");
});

test("two imports of the same bytes at once: one does the work, both tell the same", async () => {
  const copy = join(c.dir, "copy.pcap");
  const bytes = readFileSync(MIXED);
  writeFileSync(copy, bytes.subarray(0, bytes.length - 1)); // other bytes: another capture
  const both = await Promise.all([c.run("analyze", copy, "--json", "--quiet"), c.run("analyze", copy, "--json", "--quiet")]);
  expect(both.map((r) => r.status)).toEqual([0, 0]);
  const [a, b] = both.map((r) => JSON.parse(r.stdout));
  expect(b.records).toEqual(a.records);
  const id = a.capture.id;
  expect(id).toBe(createHash("sha256").update(readFileSync(copy)).digest("hex"));
  const versions = new Set([...(await c.documents("flow")).values()].filter((d) => d.line.includes(id)).map((d) => d.version));
  expect(versions.size).toBe(1);
});

test("delete leaves nothing: no document, no bytes, no entry; importing again works at once", async () => {
  const r = JSON.parse((await c.run("analyze", fixture("ssh/login.pcap"), "--json", "--quiet")).stdout);
  expect((await c.run("delete", r.capture.id.slice(0, 10))).status).toBe(0);
  for (const dataset of Object.keys(r.records))
    expect([...(await c.documents(dataset)).values()].filter((d) => d.line.includes(r.capture.id))).toEqual([]);
  expect((await c.run("captures", "show", r.capture.id)).status).toBe(1);
  const again = JSON.parse((await c.run("analyze", fixture("ssh/login.pcap"), "--json", "--quiet")).stdout);
  expect(again.already_imported).toBeUndefined();
  expect((await c.run("query", "*", "--count", "--capture", r.capture.id)).stdout.trim()).toBe(
    String(Object.values(r.records as Record<string, number>).reduce((x, y) => x + y, 0)),
  );
});

test("a flow is cut out of the stored capture", async () => {
  const [flow] = JSON.parse((await c.run("query", "network.protocol: ssh", "--dataset", "flow", "--json", "--limit", "1")).stdout);
  const out = join(c.dir, "flow.pcap");
  const r = await c.run("extract", "--flow", flow.flow.id, "-o", out);
  expect(r.stderr).toBe(`${flow.network.packets} packets written to ${out}\n`);
});

test("what is no capture is refused before it is queued; what turns out to be none fails with its reason and can be retried", async () => {
  const text = join(c.dir, "notes.txt");
  writeFileSync(text, "GET / HTTP/1.1\r\n");
  expect((await c.run("analyze", text)).stderr).toMatch(/is no capture: it looks like/);
  const header = join(c.dir, "cut.pcap");
  writeFileSync(header, readFileSync(MIXED).subarray(0, 20));
  const r = await c.run("analyze", header, "--quiet");
  expect(r.status).toBe(1);
  expect(r.stderr).toMatch(/ends inside its file header/);
  const jobs = JSON.parse((await c.run("jobs", "list", "--json")).stdout);
  expect(jobs).toMatchObject({ status: "failed", error: { code: "NOT_A_CAPTURE" } });
  expect((await c.run("jobs", "retry", jobs.capture)).status).toBe(0);
  expect((await c.run("delete", jobs.capture)).status).toBe(0);
});

test("a document that is refused goes to the dead letters with its reason and is counted", async () => {
  const own = await testCluster();
  try {
    // An index whose mapping knows nothing: every document of the dataset is refused.
    await own.client.indices.create({
      index: `${own.prefix}-dns-${new Date().toISOString().slice(0, 7).replace("-", ".")}`,
      mappings: { dynamic: "strict" },
    });
    await own.worker(1);
    const r = await own.run("analyze", fixture("dns/queries.pcap"), "--json", "--quiet");
    const s = JSON.parse(r.stdout);
    expect(s.refused_documents).toBe(s.records.dns);
    const letters = readFileSync(
      join(
        own.dir,
        "data",
        "store",
        "dead-letters",
        (await import("node:fs")).readdirSync(join(own.dir, "data", "store", "dead-letters"))[0],
      ),
      "utf8",
    );
    expect(letters.trim().split("\n")).toHaveLength(s.records.dns);
    expect(JSON.parse(letters.split("\n")[0]).reason).toMatch(/strict_dynamic_mapping_exception/);
  } finally {
    await own.close();
  }
});

test.each([
  ["read-only", { "index.blocks.write": true }, /the index is read-only: clear index\.blocks\.write/],
  ["full", { "index.blocks.read_only_allow_delete": true }, /takes no records now: cluster_block_exception/],
])("an index that is %s: the work waits, says why, and goes on", async (_name, block, words) => {
  const own = await testCluster();
  try {
    await own.run("doctor"); // makes the indices
    const index = `${own.prefix}-dns-${new Date().toISOString().slice(0, 7).replace("-", ".")}`;
    await own.client.indices.putSettings({ index, settings: block });
    await own.worker(1);
    const waiting = own.run("analyze", fixture("dns/queries.pcap"), "--json");
    let jobs = "";
    for (let i = 0; i < 40 && !words.test(jobs); i++) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      jobs = (await own.run("jobs", "list", "--json")).stdout;
    }
    expect(jobs).toMatch(words);
    await own.client.indices.putSettings({ index, settings: Object.fromEntries(Object.keys(block).map((k) => [k, null])) });
    const r = await waiting;
    expect(r.status).toBe(0);
    expect(r.stderr).toMatch(words);
    expect(JSON.parse(r.stdout)).toMatchObject({ status: "complete", refused_documents: 0 });
    expect((await own.documents("dns")).size).toBe(JSON.parse(r.stdout).records.dns);
  } finally {
    await own.close();
  }
});

test("without a worker the command says so; when one comes the import goes on", async () => {
  const own = await testCluster();
  try {
    const waiting = own.run("analyze", fixture("arp/who-has.pcap"), "--json");
    await new Promise((resolve) => setTimeout(resolve, 4000));
    await own.worker(1);
    const r = await waiting;
    expect(r.status).toBe(0);
    expect(r.stderr).toMatch(/waiting: no worker is running; `threatflow worker` starts one/);
  } finally {
    await own.close();
  }
});

test("cancel: queued work goes, nothing is left", async () => {
  const own = await testCluster();
  try {
    copyFileSync(MIXED, join(own.dir, "x.pcap"));
    const queued = await own.run("analyze", join(own.dir, "x.pcap"), "--no-wait", "--json", "--quiet");
    const { capture } = JSON.parse(queued.stdout);
    expect(JSON.parse(queued.stdout).status).toBe("queued");
    expect((await own.run("jobs", "cancel", capture.id)).stderr).toMatch(/cancelled/);
    await own.worker(1);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect((await own.run("query", "*", "--count")).stdout.trim()).toBe("0");
    expect((await own.run("jobs", "retry", capture.id)).status).toBe(0);
    const done = await own.run("analyze", join(own.dir, "x.pcap"), "--json", "--quiet");
    expect(JSON.parse(done.stdout).accounting.read).toBe(288);
  } finally {
    await own.close();
  }
});

test("one case's flood of uploads does not keep another's first one waiting", async () => {
  const own = await testCluster();
  try {
    const small = readFileSync(fixture("arp/who-has.pcap"));
    const cluster = await openCluster({
      redis: own.env.REDIS_URL,
      elasticsearch: own.env.ELASTICSEARCH_URL,
      queue_prefix: own.prefix,
      index_prefix: own.prefix,
      store: join(own.dir, "data", "store"),
    } as never);
    const add = async (name: string, n: number): Promise<string> => {
      const bytes = Buffer.from(small);
      bytes.writeUInt32LE(1700000000 + n, 24); // another capture
      const input = (async function* () {
        yield bytes;
      })();
      const cases = { [name]: { name: `${name}-${n}`, added: new Date().toISOString(), by: "" } };
      const key = importKey(DEFAULT_DECODE);
      return (await submit(cluster, { name: `${name}-${n}.pcap`, input, key, shards: 1, windowBytes: 1 << 20, force: false, cases })).entry
        .id;
    };
    for (let n = 0; n < 60; n++) await add("flood", n);
    const late = await add("quiet", 1000);
    await own.worker(1);
    while ((await cluster.catalog.find(late))?.status !== "done") await new Promise((r) => setTimeout(r, 20));
    const done = (await cluster.catalog.list()).filter((e) => e.status === "done").length;
    expect(done).toBeLessThan(40);
    await cluster.close();
  } finally {
    await own.close();
  }
});

describe("a server that is missing is named, with what to do, within seconds", () => {
  const cases: [string, Record<string, string>, RegExp][] = [
    ["no Redis", { REDIS_URL: "redis://127.0.0.1:1" }, /Redis at redis:\/\/127\.0\.0\.1:1 does not answer: .*; start it/],
    [
      "no Elasticsearch",
      { ELASTICSEARCH_URL: "http://127.0.0.1:1" },
      /Elasticsearch at http:\/\/127\.0\.0\.1:1 does not answer: .*; start it/,
    ],
    ["wrong Redis password", {}, /refuses these credentials|does not answer/],
    ["only one of the two", { REDIS_URL: "" }, /ELASTICSEARCH_URL is set but REDIS_URL is not/],
  ];
  test.each(cases)("%s", async (name, env, words) => {
    const own = await testCluster(
      name === "wrong Redis password"
        ? { REDIS_URL: (process.env.TEST_REDIS_URL as string).replace("redis://", "redis://nobody:wrong@") }
        : env,
    );
    try {
      const begun = performance.now();
      const r = await own.run("analyze", MIXED, "--quiet");
      expect([1, 2]).toContain(r.status);
      expect(r.stderr).toMatch(words);
      expect(r.stderr).not.toMatch(/wrong@/);
      expect(performance.now() - begun).toBeLessThan(8000);
    } finally {
      await own.close();
    }
  });
  test("something that is no Elasticsearch", async () => {
    const server = createServer((s) => s.end("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nhi")).listen(
      0,
      "127.0.0.1",
    );
    await new Promise((resolve) => server.once("listening", resolve));
    const own = await testCluster({ ELASTICSEARCH_URL: `http://127.0.0.1:${(server.address() as { port: number }).port}` });
    try {
      const r = await own.run("analyze", MIXED, "--quiet");
      expect(r.status).toBe(1);
      expect(r.stderr).toMatch(/no Elasticsearch|answers|does not answer/);
      expect(r.stderr).not.toMatch(/bug of ours/);
    } finally {
      server.close();
      await own.close();
    }
  });
});

test("doctor finds all well, and names an index that is read-only", async () => {
  const well = await c.run("doctor");
  expect(well.stdout).not.toMatch(/WRONG/);
  expect(well.status).toBe(0);
  const month = new Date().toISOString().slice(0, 7).replace("-", ".");
  await c.client.indices.putSettings({ index: `${c.prefix}-dns-${month}`, settings: { "index.blocks.write": true } });
  const ill = await c.run("doctor");
  expect(ill.status).toBe(1);
  expect(ill.stdout).toMatch(/WRONG.*dns-.* is read-only: PUT/);
  await c.client.indices.putSettings({ index: `${c.prefix}-dns-${month}`, settings: { "index.blocks.write": null } });
});
