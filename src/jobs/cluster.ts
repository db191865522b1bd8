/** Everything that a process needs to take part in spread work: catalogue, queues, store, Elasticsearch. */
import type { Catalog } from "../catalog/catalog.js";
import { elasticCatalog } from "../catalog/elasticsearch.js";
import { type CaptureStore, folderStore } from "../ingest/capture-store.js";
import { connectElastic, type Elastic } from "../search/elastic.js";
import type { Settings } from "../settings.js";
import { checkRedis, openQueues, type Queues } from "./queues.js";

export interface Cluster {
  readonly settings: Settings;
  readonly elastic: Elastic;
  readonly catalog: Catalog;
  readonly queues: Queues;
  readonly store: CaptureStore;
  close(): Promise<void>;
}

/** Connects to both servers. Throws REDIS and ELASTICSEARCH, with what to do, within seconds. */
export async function openCluster(settings: Settings): Promise<Cluster> {
  await checkRedis(settings);
  const elastic = await connectElastic(settings);
  try {
    const catalog = await elasticCatalog(elastic);
    const store = await openStore(settings);
    const queues = openQueues(settings);
    return {
      settings,
      elastic,
      catalog,
      queues,
      store,
      async close() {
        await queues.close();
        catalog.close();
        await elastic.client.close();
      },
    };
  } catch (error) {
    await elastic.client.close();
    throw error;
  }
}

export async function openStore(s: Settings): Promise<CaptureStore> {
  const where = s.store as string;
  if (!where.startsWith("s3://")) return folderStore(where);
  const { s3Store } = await import("../ingest/s3-store.js");
  return s3Store(s);
}
