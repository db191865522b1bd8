/** Where a live capture's records and its entry go: the data folder, or the cluster where both servers are set. Segments stay on this machine. */
import { join } from "node:path";
import { type CaptureEntry, type Catalog, freshEntry } from "../catalog/catalog.js";
import { sqliteCatalog } from "../catalog/sqlite.js";
import { systemError, ThreatflowError } from "../errors.js";
import { importKey } from "../jobs/import-key.js";
import { recordedHere, settleBroken } from "../jobs/live-entries.js";
import type { Summary } from "../jobs/summary.js";
import { isDistributed, type Settings } from "../settings.js";
import { liveParquetSink } from "../sinks/parquet-live.js";
import type { LiveSink } from "../sinks/sink.js";

type Options = Parameters<typeof importKey>[0];
export interface CapturePlace {
  readonly store: LiveSink;
  /** The capture has begun: the catalogue knows it. */
  begin(capture: Pick<CaptureEntry, "id" | "name">, options: Options, segments: string): Promise<void>;
  /** It is over. */
  done(summary: Summary): Promise<void>;
  /** It is over, and waits for its analysis. */
  waits(summary: Summary): Promise<void>;
  failed(error: unknown): Promise<void>;
  close(): Promise<void>;
}
/** How long Elasticsearch may be away at the end of a capture, ms: there is nobody who would try again later. */
const PATIENCE = 60 * 60 * 1000;

export async function capturePlace(s: Settings, waiting: (why: string) => void): Promise<CapturePlace> {
  const dir = s.data as string;
  if (!isDistributed(s)) {
    const catalog = sqliteCatalog(dir);
    await settleBroken(dir, catalog);
    return { store: liveParquetSink(dir), ...entryIn(catalog, freshEntry(NOTHING)), close: async () => catalog.close() };
  }
  const { connectElastic } = await import("../search/elastic.js");
  const { elasticCatalog } = await import("../catalog/elasticsearch.js");
  const { liveElasticsearchSink } = await import("../sinks/elasticsearch-live.js");
  const elastic = await connectElastic(s);
  const catalog = await elasticCatalog(elastic);
  await settleBroken(dir, catalog);
  const fresh = freshEntry(NOTHING);
  const { month, generation } = fresh;
  const to = { month, generation, deadLetters: join(dir, "dead-letters", `${generation}.ndjson`), patience: PATIENCE, waiting };
  return {
    store: liveElasticsearchSink(elastic, to, s.retention),
    ...entryIn(catalog, fresh),
    close: () => elastic.client.close(),
  };
}
const NOTHING = { id: "", key: "", name: "", bytes: 0, path: undefined };

/** The capture's entry; where the catalogue is away at the beginning, the entry comes at the end. */
function entryIn(catalog: Catalog, fresh: CaptureEntry): Pick<CapturePlace, "begin" | "done" | "waits" | "failed"> {
  let entry: CaptureEntry | undefined;
  return {
    async begin({ id, name }, options, segments) {
      entry = { ...fresh, id, name, key: importKey(options), path: segments, status: "decoding", live: recordedHere() };
      await catalog.put(entry);
    },
    async done(summary) {
      if (entry) await change(catalog, { ...entry, live: undefined, status: "done", bytes: summary.capture.bytes, summary });
    },
    async waits(summary) {
      if (entry) await change(catalog, { ...entry, live: undefined, status: "queued", bytes: summary.capture.bytes });
    },
    async failed(error) {
      if (!entry) return;
      const known = systemError(error, entry.name);
      const { code, message, remedy } =
        known instanceof ThreatflowError ? known : { code: "INTERNAL", message: (error as Error).message, remedy: "" };
      await change(catalog, { ...entry, live: undefined, status: "failed", error: { code, message, remedy } });
    },
  };
}
/** What people said of it meanwhile stays. */
async function change(catalog: Catalog, next: CaptureEntry): Promise<void> {
  const there = await catalog.update(next.id, (e) => ({ ...next, cases: e.cases }));
  if (!there) await catalog.put(next);
}
