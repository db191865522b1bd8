/** What doctor finds of Redis, Elasticsearch and the capture store. */
import { monthOf } from "../catalog/catalog.js";
import { ThreatflowError } from "../errors.js";
import { openStore } from "../jobs/cluster.js";
import { checkRedis } from "../jobs/queues.js";
import { DATASETS } from "../records/fields.js";
import { connectElastic } from "../search/elastic.js";
import { isDistributed, type Settings } from "../settings.js";
import { prepareIndices } from "../sinks/indices.js";
import { type Finding, folder, LOW_DISK } from "./doctor.js";
import { size } from "./text.js";

export async function servers(s: Settings): Promise<Finding[]> {
  try {
    if (!isDistributed(s)) return [{ what: "mode", level: "ok", text: "one machine (REDIS_URL and ELASTICSEARCH_URL are not set)" }];
  } catch (error) {
    return [wrong("mode", error)];
  }
  const out: Finding[] = [{ what: "mode", level: "ok", text: "spread over workers" }];
  try {
    const store = await openStore(s);
    out.push(
      store.where.startsWith("s3://") ? { what: "capture store", level: "ok", text: store.where } : folder("capture store", store.where),
    );
    if (store.where.startsWith("s3://")) await store.has("0".repeat(64), "capture");
  } catch (error) {
    out.push(wrong("capture store", error));
  }
  try {
    const r = await checkRedis(s);
    out.push({ what: "redis", level: "ok", text: r.version });
    if (r.policy && r.policy !== "noeviction")
      out.push({
        what: "redis",
        level: "wrong",
        text: `maxmemory-policy is ${r.policy}: jobs can be lost; redis-cli config set maxmemory-policy noeviction`,
      });
    if (!r.aof)
      out.push({
        what: "redis",
        level: "warn",
        text: "appendonly is off: a crash of Redis loses queued jobs; redis-cli config set appendonly yes",
      });
  } catch (error) {
    out.push(wrong("redis", error));
  }
  out.push(...(await elasticsearch(s)));
  return out;
}

async function elasticsearch(s: Settings): Promise<Finding[]> {
  const what = "elasticsearch";
  const out: Finding[] = [];
  try {
    const e = await connectElastic(s);
    try {
      out.push({ what, level: "ok", text: e.version });
      const health = await e.client.cluster.health();
      const text = `health ${health.status}, ${health.number_of_nodes} nodes`;
      out.push(
        health.status === "red"
          ? { what, level: "wrong", text: `${text}: some shards are not there; GET _cluster/allocation/explain says why` }
          : { what, level: "ok", text },
      );
      await prepareIndices(e, monthOf(new Date().toISOString()), s.retention);
      const answer = await e.client.indices.getIndexTemplate({ name: `${e.prefix}-*` });
      const there = answer.index_templates.map((t) => t.name);
      const missing = DATASETS.filter((d) => !there.includes(`${e.prefix}-${d}`));
      out.push(
        missing.length
          ? { what, level: "wrong", text: `templates missing: ${missing.join(", ")}` }
          : { what, level: "ok", text: `${there.length} index templates` },
      );
      const blocked = Object.entries(await e.client.indices.getSettings({ index: `${e.prefix}-*`, flat_settings: true })).filter(([, v]) =>
        ["index.blocks.write", "index.blocks.read_only", "index.blocks.read_only_allow_delete"].some(
          (n) => String((v.settings as Record<string, unknown> | undefined)?.[n]) === "true",
        ),
      );
      for (const [index] of blocked)
        out.push({
          what,
          level: "wrong",
          text: `index ${index} is read-only: PUT ${index}/_settings {"index.blocks.write":null,"index.blocks.read_only_allow_delete":null}, after freeing disk space`,
        });
      const nodes = (await e.client.nodes.stats({ metric: "fs" })).nodes;
      for (const node of Object.values(nodes ?? {})) {
        const total = node.fs?.total;
        if (total?.available_in_bytes !== undefined && total.available_in_bytes < LOW_DISK)
          out.push({ what, level: "warn", text: `node ${node.name}: only ${size(total.available_in_bytes)} free` });
      }
    } finally {
      await e.client.close();
    }
  } catch (error) {
    out.push(wrong(what, error));
  }
  return out;
}
const wrong = (what: string, error: unknown): Finding => ({
  what,
  level: "wrong",
  text: error instanceof ThreatflowError ? `${error.message}; ${error.remedy}` : String((error as Error).message ?? error),
});
