/**
 * Indices in Elasticsearch: one for each dataset and month of import, `<prefix>-<dataset>-2026.11`, behind the alias `<prefix>-<dataset>`. They are
 * named at import, so a retry meets the same ones; nothing optional (ILM, delete-by-query, scripts) is needed.
 */
import { errors } from "@elastic/elasticsearch";
import { SCHEMA_VERSION } from "../config.js";
import { ThreatflowError } from "../errors.js";
import { DATASETS } from "../records/fields.js";
import { indexTemplate } from "../records/formats/elasticsearch.js";
import { type Elastic, elasticError, reasonOf } from "../search/elastic.js";

export const aliasOf = (e: Elastic, dataset: string): string => `${e.prefix}-${dataset}`;
export const indexOf = (e: Elastic, dataset: string, month: string): string => `${e.prefix}-${dataset}-${month}`;
/** Documents deleted in one request. */
const DELETE_BATCH = 1000;
const KEEP_ALIVE = "5m";

/** What this process has seen to be there. */
const prepared = new WeakMap<Elastic, Set<string>>();
/** Templates as this version writes them, and the month's indices with their aliases. Safe to call from many processes at once. */
export async function prepareIndices(e: Elastic, month: string, retention: string | undefined): Promise<void> {
  const seen = prepared.get(e) ?? new Set();
  if (seen.has(month)) return;
  try {
    const policy = await lifecycle(e, retention);
    const wanted: string[] = [];
    for (const dataset of DATASETS) {
      const index = indexOf(e, dataset, month);
      if (await e.client.indices.exists({ index })) continue;
      wanted.push(dataset);
    }
    for (const dataset of wanted) {
      const t = indexTemplate(dataset);
      const settings = { ...t.template.settings, ...(policy && { "index.lifecycle.name": policy }) };
      await e.client.indices.putIndexTemplate({
        name: aliasOf(e, dataset),
        index_patterns: [`${aliasOf(e, dataset)}-*`],
        priority: t.priority,
        template: { settings, mappings: t.template.mappings as object, aliases: { [aliasOf(e, dataset)]: {} } },
        _meta: { ...t._meta, schema: SCHEMA_VERSION },
      });
      try {
        await e.client.indices.create({ index: indexOf(e, dataset, month), wait_for_active_shards: 1 });
      } catch (error) {
        if (!/resource_already_exists/.test(reasonOf(error))) throw error; // another process was first
      }
    }
    prepared.set(e, seen.add(month));
  } catch (error) {
    throw elasticError(error, e.url);
  }
}

/** A policy that deletes by age, where the cluster has ILM and an age is set; its name, or undefined. */
async function lifecycle(e: Elastic, retention: string | undefined): Promise<string | undefined> {
  if (!retention) return undefined;
  const name = `${e.prefix}-retention`;
  try {
    await e.client.ilm.putLifecycle({ name, policy: { phases: { delete: { min_age: retention, actions: { delete: {} } } } } });
    return name;
  } catch (error) {
    if (error instanceof errors.ResponseError && [400, 404, 405].includes(error.statusCode ?? 0)) return undefined; // `threatflow expire` does it
    throw error;
  }
}

/** Refreshes that are wanted and not yet begun, by index pattern. */
const wantedRefresh = new Map<string, Promise<void>>();
let lastRefresh: Promise<unknown> = Promise.resolve();
/** Makes what was written before this call visible to searches; calls at the same time share one. */
export function refresh(e: Elastic, month: string): Promise<void> {
  const index = DATASETS.map((d) => indexOf(e, d, month)).join(",");
  const known = wantedRefresh.get(index);
  if (known) return known;
  const mine = lastRefresh.then(async () => {
    wantedRefresh.delete(index);
    try {
      await e.client.indices.refresh({ index, ignore_unavailable: true });
    } catch (error) {
      throw elasticError(error, e.url);
    }
  });
  wantedRefresh.set(index, mine);
  lastRefresh = mine.catch(() => undefined);
  return mine;
}

/** Deletes a capture's documents everywhere; with `before`, only those of earlier generations. Returns how many. */
export async function deleteRecords(e: Elastic, captureId: string, before?: number): Promise<number> {
  let deleted = 0;
  try {
    await e.client.indices.refresh({ index: `${e.prefix}-*`, ignore_unavailable: true });
    const opened = await e.client.openPointInTime({
      index: DATASETS.map((d) => `${aliasOf(e, d)}-*`).join(","),
      keep_alive: KEEP_ALIVE,
      ignore_unavailable: true,
    });
    let pit = opened.id;
    try {
      for (let after: unknown[] | undefined; ; ) {
        const answer = await e.client.search({
          pit: { id: pit, keep_alive: KEEP_ALIVE },
          size: DELETE_BATCH,
          query: { term: { "threatflow.capture.id": captureId } },
          sort: [{ _shard_doc: "asc" }],
          _source: false,
          version: true,
          track_total_hits: false,
          search_after: after as never,
        });
        pit = answer.pit_id ?? pit;
        const hits = answer.hits.hits;
        if (hits.length === 0) break;
        after = hits[hits.length - 1].sort as unknown[];
        const old = before === undefined ? hits : hits.filter((h) => (h._version ?? 0) < versionOf(before, false));
        if (old.length === 0) continue;
        const done = await e.client.bulk({
          operations: old.map((h) => ({
            delete: { _index: h._index, _id: h._id as string, version: h._version, version_type: "external_gte" as const },
          })),
          filter_path: "errors,items.*.status,items.*.error.reason",
        });
        const refused = done.errors ? done.items.find((i) => ![200, 404, 409].includes(i.delete?.status ?? 0))?.delete : undefined;
        if (refused)
          throw new ThreatflowError(
            "ELASTICSEARCH",
            `Elasticsearch at ${e.url} does not delete: ${refused.error?.reason ?? refused.status}`,
            "`threatflow doctor` looks into it; run the same command again afterwards",
          );
        deleted += old.length;
      }
    } finally {
      await e.client.closePointInTime({ id: pit }).catch(() => undefined);
    }
    await e.client.indices.refresh({ index: `${e.prefix}-*`, ignore_unavailable: true });
  } catch (error) {
    throw elasticError(error, e.url);
  }
  return deleted;
}

/** Document versions: a later generation (`--force`) wins, and within one the final record over an interim one. */
export const versionOf = (generation: number, final: boolean): number => 2 * generation + (final ? 1 : 0);
