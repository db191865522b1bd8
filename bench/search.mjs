/**
 * How long an analyst waits: `scripts/with-servers.sh node bench/search.mjs CAPTURE [FLOWS] [embedded|elasticsearch|both]`. The flow records of
 * CAPTURE again and again, each time as another capture a day later, until there are FLOWS (5,000,000); then two analysts at once ask the
 * server what its page asks. p50 and p95 of each kind of question, ms.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freshEntry } from "../dist/catalog/catalog.js";
import { elasticCatalog } from "../dist/catalog/elasticsearch.js";
import { sqliteCatalog } from "../dist/catalog/sqlite.js";
import { connectElastic } from "../dist/search/elastic.js";
import { ElasticsearchSink } from "../dist/sinks/elasticsearch.js";
import { prepareIndices, refresh } from "../dist/sinks/indices.js";
import { parquetSink } from "../dist/sinks/parquet.js";
const [capture, wanted = "5000000", which = "both"] = process.argv.slice(2);
const ROUNDS = 25, ANALYSTS = 2, KEY = 40, MONTH = "2026.01";
const root = join(import.meta.dirname, ".."), threatflow = join(root, "bin", "threatflow");
const dir = mkdtempSync(join(tmpdir(), "threatflow-bench-"));
const alone = { ...process.env, REDIS_URL: "", ELASTICSEARCH_URL: "" };

const made = spawnSync(threatflow, ["analyze", capture, "--ndjson", join(dir, "nd"), "--quiet", "--json"], { env: alone, encoding: "utf8" });
const summary = JSON.parse(made.stdout), lines = readFileSync(join(dir, "nd", "flow.ndjson"), "latin1").split("\n").filter(Boolean);
const copies = Math.ceil(Number(wanted) / lines.length), date = lines[0].slice(15, 25);
const ipOf = (n) => JSON.parse(lines[n]).source.ip;
/** The records as those of another capture. */
function copy(n) {
  const id = createHash("sha256").update(`bench ${n}`).digest("hex"), day = new Date(Date.UTC(2026, 0, 1 + n)).toISOString().slice(0, 10), tag = n.toString(16).padStart(4, "0");
  const text = [];
  const keys = Buffer.alloc(lines.length * KEY);
  lines.forEach((line, i) => {
    const l = `${line.replaceAll(date, day).replaceAll(summary.capture.id, id).replace(/"event":\{"id":"..../, `"event":{"id":"${tag}`).replace(/"flow":\{"id":"..../, `"flow":{"id":"${tag}`)}\n`;
    keys.writeUInt32LE(Buffer.byteLength(l, "latin1"), i * KEY + 20);
    text.push(l);
  });
  const run = { dataset: "flow", count: lines.length, longest: 65536, text: Buffer.from(text.join(""), "latin1"), keys };
  return { id, day, run, entry: { ...freshEntry({ id, key: "", name: `bench-${n}.pcap`, bytes: 1, path: undefined }), status: "done", summary: { ...summary, capture: { ...summary.capture, id } } } };
}
const asks = (last) => ({
  "newest page": "records?q=*&dataset=flow&size=50&sort=-@timestamp",
  "an address": `records?q=source.ip: ${ipOf(7)}&dataset=flow&size=50`,
  "a network": "records?q=destination.ip: 198.51.100.0/24 and network.protocol: tls&dataset=flow&size=50",
  "a port and a size": "records?q=destination.port: 443 and network.bytes > 10000&dataset=flow&size=50",
  "one capture": `records?q=*&dataset=flow&capture=${last.id}&size=50`,
  "one day": `records?q=network.protocol: http&dataset=flow&since=${last.day}T00:00:00Z&until=${last.day}T23:59:59Z&size=50`,
  "top protocols": "top?q=*&dataset=flow&field=network.protocol",
  "top talkers": "top?q=network.protocol: dns&dataset=flow&field=source.ip",
  "over time": "histogram?q=network.protocol: tls&dataset=flow",
});
async function measure(name, env, data, last) {
  const server = spawn(threatflow, ["serve", "--port", "0", "--data", data], { env, stdio: ["ignore", "ignore", "pipe"] });
  const base = await new Promise((resolve) => server.stderr.on("data", (b) => { const m = /http:\S+/.exec(b); if (m) resolve(m[0]); }));
  const times = new Map(), questions = Object.entries(asks(last));
  const ask = async (path) => { const t = performance.now(); const r = await fetch(base + "api/" + encodeURI(path)); const body = await r.text(); if (!r.ok) throw new Error(`${path}: ${body}`); return performance.now() - t; };
  for (const [, path] of questions) await ask(path);
  await Promise.all(Array.from({ length: ANALYSTS }, async (_, a) => {
    for (let n = 0; n < ROUNDS; n++) for (let k = 0; k < questions.length; k++) {
      const [what, path] = questions[(k + a * 4) % questions.length];
      (times.get(what) ?? times.set(what, []).get(what)).push(await ask(path));
    }
  }));
  server.kill("SIGTERM");
  const all = [...times.values()].flat(), at = (list, p) => Math.round(list.sort((x, y) => x - y)[Math.min(list.length - 1, Math.floor(list.length * p))]);
  console.log(`\n${name}: ${lines.length * copies} flow records of ${copies} captures, ${ANALYSTS} analysts\n\n| question | p50 ms | p95 ms |\n|---|---:|---:|`);
  for (const [what, list] of times) console.log(`| ${what} | ${at(list, 0.5)} | ${at(list, 0.95)} |`);
  console.log(`| all | ${at(all, 0.5)} | ${at(all, 0.95)} |`);
}
try {
  if (which !== "elasticsearch") {
    const data = join(dir, "data"), catalog = sqliteCatalog(data);
    let last;
    for (let n = 0; n < copies; n++) {
      last = copy(n);
      const sink = parquetSink(data);
      sink.begin(last.id);
      await sink.dataset("flow", [last.run]);
      await sink.commit();
      await catalog.put(last.entry);
    }
    catalog.close();
    await measure("embedded", alone, data, last);
  }
  if (which !== "embedded") {
    const prefix = `bench-${process.pid}`;
    const env = { ...process.env, REDIS_URL: process.env.TEST_REDIS_URL, ELASTICSEARCH_URL: process.env.TEST_ELASTICSEARCH_URL, THREATFLOW_INDEX_PREFIX: prefix, THREATFLOW_QUEUE_PREFIX: prefix };
    const e = await connectElastic({ elasticsearch: env.ELASTICSEARCH_URL, index_prefix: prefix });
    const catalog = await elasticCatalog(e);
    await prepareIndices(e, MONTH, undefined);
    let last;
    for (let n = 0; n < copies; n++) {
      last = copy(n);
      await new ElasticsearchSink(e, { month: MONTH, generation: 1, deadLetters: join(dir, "dead"), patience: 6e5 }).dataset("flow", [last.run]);
      await catalog.put({ ...last.entry, month: MONTH });
    }
    await refresh(e, MONTH);
    await measure("Elasticsearch", env, join(dir, "spread"), last);
    await e.client.close();
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
