/**
 * What spreading work costs and brings: `scripts/with-servers.sh node bench/cluster.mjs CAPTURE [SMALL]`. One machine, then one and two workers
 * of one process each; a bare bulk loop over the same documents; SMALL captures queued at once (memory of the submitter, of Redis before and after).
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectElastic } from "../dist/search/elastic.js";
import { ElasticsearchSink } from "../dist/sinks/elasticsearch.js";
import { prepareIndices } from "../dist/sinks/indices.js";
import { testCluster } from "../test/support/cluster.ts";
const [capture, small = "2000"] = process.argv.slice(2);
const seconds = async (work) => { const t = performance.now(); const r = await work(); return [(performance.now() - t) / 1000, r]; };
const redisBytes = () => Number(/used_memory:(\d+)/.exec(spawnSync("redis-cli", ["-u", process.env.TEST_REDIS_URL, "info", "memory"], { encoding: "utf8" }).stdout)[1]);
const dir = mkdtempSync(join(tmpdir(), "threatflow-bench-"));
const rows = [];
try {
  let documents = 0;
  {
    const c = await testCluster();
    const [t] = await seconds(() => c.alone("analyze", capture, "--ndjson", join(dir, "nd"), "--quiet"));
    rows.push(["one machine, NDJSON", t]);
    const e = await connectElastic({ elasticsearch: process.env.TEST_ELASTICSEARCH_URL, index_prefix: c.prefix });
    await prepareIndices(e, "2000.01", undefined);
    const sink = new ElasticsearchSink(e, { month: "2000.01", generation: 1, deadLetters: join(dir, "dead"), patience: 1e6 });
    const [bulk] = await seconds(async () => {
      for (const f of readdirSync(join(dir, "nd"))) await sink.dataset(f.slice(0, -7), [{ dataset: f.slice(0, -7), count: 0, longest: 0, text: join(dir, "nd", f), keys: "" }]);
    });
    documents = sink.outcome.indexed;
    rows.push([`bare bulk loop, ${documents} documents`, bulk]);
    await e.client.close();
    await c.close();
  }
  for (const workers of [1, 2]) {
    const c = await testCluster();
    for (let i = 0; i < workers; i++) await c.worker(1);
    const [t] = await seconds(() => c.run("analyze", capture, "--shards", "8", "--quiet", "--json"));
    rows.push([`${workers} worker${workers > 1 ? "s" : ""}, Elasticsearch beside them`, t]);
    await c.close();
  }
  {
    const c = await testCluster();
    const one = readFileSync(join(import.meta.dirname, "..", "fixtures", "pcaps", "arp", "who-has.pcap"));
    spawnSync("mkdir", ["-p", join(dir, "small")]);
    for (let i = 0; i < Number(small); i++) { const b = Buffer.from(one); b.writeUInt32LE(i, 24 + 4); writeFileSync(join(dir, "small", `${i}.pcap`), b); }
    const before = redisBytes();
    await c.worker(2);
    let peak = 0;
    const child = spawn(join(import.meta.dirname, "..", "bin", "threatflow"), ["analyze", join(dir, "small"), "--quiet", "--json"], { env: c.env, stdio: ["ignore", "pipe", "inherit"] });
    let out = "";
    child.stdout.on("data", (b) => { out = (out + b).slice(-2000); });
    const timer = setInterval(() => { try { peak = Math.max(peak, Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))[1]) / 1024); } catch {} }, 500);
    const [t] = await seconds(() => new Promise((r) => child.on("close", r)));
    clearInterval(timer);
    const total = JSON.parse(out.trim().split("\n").at(-1)).total;
    rows.push([`${total.captures} small captures, ${total.failed} failed`, t]);
    await new Promise((r) => setTimeout(r, 3000));
    console.log(`submitter ${peak.toFixed(0)} MB at most; Redis ${(before / 1e6).toFixed(1)} MB before, ${(redisBytes() / 1e6).toFixed(1)} MB after`);
    await c.close();
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
console.log("| what | seconds |\n|---|---:|");
for (const [what, t] of rows) console.log(`| ${what} | ${t.toFixed(1)} |`);
process.exit(0);
