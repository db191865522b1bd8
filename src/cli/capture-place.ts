/** Where a live capture's records and its entry go: the data folder, or the cluster where both servers are set. Segments stay on this machine. */
import { join } from "node:path";
import { type CaptureEntry, freshEntry } from "../catalog/catalog.js";
import { sqliteCatalog } from "../catalog/sqlite.js";
import { importKey } from "../jobs/import-key.js";
import type { Summary } from "../jobs/summary.js";
import { isDistributed, type Settings } from "../settings.js";
import { parquetSink } from "../sinks/parquet.js";
import type { Sink } from "../sinks/sink.js";

type Options = Parameters<typeof importKey>[0];
export interface CapturePlace {
  sink(): Sink;
  /** The capture is over: the catalogue knows it. */
  put(summary: Summary, options: Options, segments: string): Promise<void>;
  close(): Promise<void>;
}
/** How long Elasticsearch may be away at the end of a capture, ms: there is nobody who would try again later. */
const PATIENCE = 60 * 60 * 1000;

const entryOf = (summary: Summary, options: Options, segments: string): CaptureEntry => {
  const { id, name, bytes } = summary.capture;
  return { ...freshEntry({ id, key: importKey(options), name, bytes, path: segments }), status: "done", summary };
};

export async function capturePlace(s: Settings, waiting: (why: string) => void): Promise<CapturePlace> {
  const dir = s.data as string;
  if (!isDistributed(s)) {
    const catalog = sqliteCatalog(dir);
    return {
      sink: () => parquetSink(dir),
      put: (summary, options, segments) => catalog.put(entryOf(summary, options, segments)),
      close: async () => catalog.close(),
    };
  }
  const { connectElastic } = await import("../search/elastic.js");
  const { elasticCatalog } = await import("../catalog/elasticsearch.js");
  const { captureSink } = await import("../sinks/elasticsearch-capture.js");
  const elastic = await connectElastic(s);
  const catalog = await elasticCatalog(elastic);
  const { month, generation } = freshEntry({ id: "", key: "", name: "", bytes: 0, path: undefined });
  return {
    sink: () =>
      captureSink(
        elastic,
        { month, generation, deadLetters: join(dir, "dead-letters", `${generation}.ndjson`), patience: PATIENCE, waiting },
        s.retention,
      ),
    put: (summary, options, segments) => catalog.put({ ...entryOf(summary, options, segments), month, generation }),
    close: () => elastic.client.close(),
  };
}
