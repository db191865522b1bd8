/** Records of a live capture to Elasticsearch: what an import's jobs do, in the process that records it. */
import type { Elastic } from "../search/elastic.js";
import { type BulkTarget, ElasticsearchSink } from "./elasticsearch.js";
import { prepareIndices, refresh } from "./indices.js";
import type { LiveSink } from "./sink.js";

export function liveElasticsearchSink(e: Elastic, to: BulkTarget, retention: string | undefined): LiveSink {
  const bulk = new ElasticsearchSink(e, to);
  return {
    name: "elasticsearch",
    begin: () => prepareIndices(e, to.month, retention),
    async grow(more, open) {
      if (open.length) await bulk.dataset("flow", open, false);
      for (const [dataset, runs] of more) await bulk.dataset(dataset, runs);
      await refresh(e, to.month);
    },
    anew: async () => undefined, // the same records under the same ids
    end: async () => undefined,
  };
}
