/** A capture's records in memory and in one order: by time, packet, dataset, id (SEMANTICS 27). */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEFAULT_DECODE } from "../config.js";
import { openSource } from "../ingest/source.js";
import { analyze } from "../jobs/analyze.js";
import type { Summary } from "../jobs/summary.js";
import { writeLines } from "../sinks/ndjson.js";

export interface Entry {
  dataset: string;
  id: string;
  line: string;
  record: Readonly<Record<string, unknown>>;
}
interface Known {
  "@timestamp": string;
  event: { id: string; dataset: string };
  threatflow: { packet?: number };
}

export function entryOf(line: string): Entry {
  const record = JSON.parse(line) as Known & Record<string, unknown>;
  return { dataset: record.event.dataset, id: record.event.id, line, record };
}

/** Sorts in place. */
export const inOrder = (entries: Entry[]): Entry[] => entries.sort(before);
function before(a: Entry, b: Entry): number {
  const x = a.record as unknown as Known;
  const y = b.record as unknown as Known;
  if (x["@timestamp"] !== y["@timestamp"]) return x["@timestamp"] < y["@timestamp"] ? -1 : 1;
  const packets = (x.threatflow.packet ?? 0) - (y.threatflow.packet ?? 0);
  if (packets) return packets;
  if (a.dataset !== b.dataset) return a.dataset < b.dataset ? -1 : 1;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** Analyses a capture in this process with the default options. Throws what analysing throws. */
export async function recordsOf(path: string): Promise<{ entries: Entry[]; summary: Summary }> {
  const dir = mkdtempSync(join(tmpdir(), "threatflow-replay-"));
  try {
    const source = await openSource(path, { spoolDir: dir, quota: 1 << 30 });
    const entries: Entry[] = [];
    try {
      const { summary } = await analyze({
        source,
        decode: DEFAULT_DECODE,
        filter: undefined,
        run: { workers: 0, shards: 1, windowBytes: 1 << 20 },
        sinks: [
          {
            name: "memory",
            async dataset(dataset, runs) {
              const file = join(dir, dataset);
              await writeLines(file, runs);
              for (const line of readFileSync(file, "utf8").split("\n")) if (line) entries.push(entryOf(line));
            },
            commit: async () => undefined,
            abort: async () => undefined,
          },
        ],
        workDir: dir,
        pool: undefined,
      });
      return { entries: inOrder(entries), summary };
    } finally {
      source.dispose();
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

export const textOf = (entries: readonly Entry[]): string => entries.map((e) => `${e.line}\n`).join("");
