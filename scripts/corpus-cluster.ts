/**
 * Every capture under $CORPUS through Redis, workers and Elasticsearch: the documents must be the records that one process gives, ids and bodies.
 * PAIRS="1x1 2x3 4x8" (workers × shards). Run through scripts/with-servers.sh.
 */
import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import { capturesIn } from "../dist/ingest/folder.js";
import { connectElastic } from "../dist/search/elastic.js";
import { elasticSearch } from "../dist/search/elasticsearch.js";
import { testCluster } from "../test/support/cluster.ts";
import { decode } from "../test/support/decode.ts";

const CORPUS = process.env.CORPUS ?? join(import.meta.dirname, "..", "..", "shared", "pcaps");
if (!existsSync(CORPUS)) {
  console.log(`corpus-cluster: skipped, no folder ${CORPUS} (set CORPUS)`);
  process.exit(0);
}
const every = Number(process.env.EVERY ?? 1);
const files = [...capturesIn(CORPUS)].filter((f, i) => i % every === 0 && relative(CORPUS, f).split("/")[0] !== "expected");
const expected = new Map<string, string>();
const shadowed = new Map<string, string>();
for (const file of files) {
  try {
    const d = await decode(file);
    const lines = [...d.text.values()].flatMap((t) => t.split("\n").filter(Boolean)).sort();
    expected.set(d.summary.capture.id, lines.join("\n"));
    shadowed.set(d.summary.capture.id, file);
  } catch {
    // refused with a named error: scripts/corpus.ts looks after those
  }
}
let problems = 0;
let compared = 0;
for (const pair of (process.env.PAIRS ?? "1x1 2x3 4x8").split(" ")) {
  const [workers, shards] = pair.split("x");
  const c = await testCluster();
  try {
    for (let i = 0; i < Number(workers); i++) await c.worker(1);
    const begun = performance.now();
    const r = await c.run("analyze", ...shadowed.values(), "--shards", shards, "--json", "--quiet");
    const seconds = (performance.now() - begun) / 1000;
    await c.client.indices.refresh({ index: `${c.prefix}-*` });
    const elastic = await connectElastic({ elasticsearch: c.env.ELASTICSEARCH_URL, index_prefix: c.prefix } as never);
    const search = elasticSearch(elastic);
    const found = new Map<string, string[]>();
    for await (const line of search.records({ query: "*", datasets: [], captures: undefined, limit: Infinity })) {
      const id = /"capture":\{"id":"([0-9a-f]{64})"/.exec(line)?.[1] ?? "";
      const list = found.get(id);
      if (list) list.push(line);
      else found.set(id, [line]);
    }
    await elastic.client.close();
    if (r.status !== 0 && r.status !== 3) {
      problems++;
      console.log(`${pair}: exit ${r.status}: ${r.stderr.slice(0, 2000)}`);
    }
    for (const [id, lines] of expected) {
      compared++;
      if ((found.get(id) ?? []).sort().join("\n") === lines) continue;
      problems++;
      console.log(
        `${pair}: ${relative(CORPUS, shadowed.get(id) as string)}: ${found.get(id)?.length ?? 0} documents, ${lines.split("\n").length} records, or other bodies`,
      );
    }
    console.log(`${pair}: ${expected.size} captures in ${seconds.toFixed(1)} s`);
  } finally {
    await c.close();
  }
}
console.log(`corpus-cluster: ${compared} comparisons, ${problems} problems`);
process.exit(problems ? 1 : 0);
