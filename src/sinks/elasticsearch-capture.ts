/** Records of a live capture to Elasticsearch, as a sink: what an import's jobs do, in the process that recorded it. */
import type { Elastic } from "../search/elastic.js";
import { type BulkTarget, ElasticsearchSink } from "./elasticsearch.js";
import { deleteRecords, prepareIndices, refresh } from "./indices.js";
import type { Sink } from "./sink.js";

export function captureSink(e: Elastic, to: BulkTarget, retention: string | undefined): Sink {
  const bulk = new ElasticsearchSink(e, to);
  let captureId = "";
  let prepared: Promise<void> | undefined;
  return {
    name: "elasticsearch",
    begin(id) {
      captureId = id;
    },
    async dataset(dataset, runs) {
      prepared ??= prepareIndices(e, to.month, retention);
      await prepared;
      await bulk.dataset(dataset, runs);
    },
    commit: () => refresh(e, to.month),
    async abort() {
      await deleteRecords(e, captureId);
    },
  };
}
