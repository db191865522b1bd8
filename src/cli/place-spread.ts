/** Captures and records of a cluster. */
import { existsSync } from "node:fs";
import { elasticCatalog } from "../catalog/elasticsearch.js";
import { type Cluster, openCluster, openStore } from "../jobs/cluster.js";
import { deleteCapture } from "../jobs/submit.js";
import { connectElastic } from "../search/elastic.js";
import { elasticSearch } from "../search/elasticsearch.js";
import type { Settings } from "../settings.js";
import type { Place } from "./place.js";

/** Reading needs no Redis; what changes jobs does. */
export async function spread(s: Settings): Promise<Place> {
  const elastic = await connectElastic(s);
  return {
    settings: s,
    catalog: await elasticCatalog(elastic),
    search: async () => elasticSearch(elastic),
    async evidence(entry) {
      if (entry.path && existsSync(entry.path)) return entry.path; // a capture recorded on this machine
      return (await openStore(s)).fetch(entry.id, "capture");
    },
    remove: async (id) => withCluster(s, async (c) => (await deleteCapture(c, id)).name),
    close: () => elastic.client.close(),
  };
}

export async function withCluster<T>(s: Settings, work: (c: Cluster) => Promise<T>): Promise<T> {
  const c = await openCluster(s);
  try {
    return await work(c);
  } finally {
    await c.close();
  }
}
