/** Decodes a capture in this process, as tests do: shards, windows and options by choice; records by dataset as text. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DecodeOptions } from "../../dist/config.js";
import { DEFAULT_DECODE } from "../../dist/config.js";
import { QUIET } from "../../dist/flows/open-flows.js";
import type { Filter } from "../../dist/ingest/filter.js";
import { openSource } from "../../dist/ingest/source.js";
import { analyze } from "../../dist/jobs/analyze.js";
import type { Pool } from "../../dist/jobs/pool.js";
import type { Summary } from "../../dist/jobs/summary.js";
import type { Digest } from "../../dist/records/digest.js";
import { writeLines } from "../../dist/sinks/ndjson.js";

export interface Decoded {
  summary: Summary;
  digest: Digest;
  /** Lines of each dataset. */
  text: Map<string, string>;
}
/** As if every flow were quiet as soon as it can be, and memory held none of them: what is kept of them then, on disk, must be enough. */
export async function forgetful<T>(work: () => Promise<T>): Promise<T> {
  const usual = { ...QUIET };
  const atOnce = { datagrams: 0, streams: 0, text: Number.POSITIVE_INFINITY };
  Object.assign(QUIET, { every: 0, flows: 0, quiet: 0, held: 0, usual: atOnce, many: atOnce });
  try {
    return await work();
  } finally {
    Object.assign(QUIET, usual);
  }
}
/** The same, in small pieces. */
export const decodeForgetful = (path: string): Promise<Decoded> => forgetful(() => decode(path, { windowBytes: 512 }));
export interface DecodeChoice {
  shards?: number;
  windowBytes?: number;
  decode?: Partial<DecodeOptions>;
  filter?: Filter;
  pool?: Pool;
}

export async function decode(path: string, choice: DecodeChoice = {}): Promise<Decoded> {
  const dir = mkdtempSync(join(tmpdir(), "threatflow-test-"));
  const text = new Map<string, string>();
  const source = await openSource(path, { spoolDir: dir, quota: 1 << 30 });
  try {
    const { summary, digest } = await analyze({
      source,
      decode: { ...DEFAULT_DECODE, ...choice.decode },
      filter: choice.filter,
      run: { workers: choice.pool ? 2 : 0, shards: choice.shards ?? 1, windowBytes: choice.windowBytes ?? 1 << 20 },
      sinks: [
        {
          name: "memory",
          dataset: async (dataset, runs) => {
            await writeLines(join(dir, dataset), runs);
            text.set(dataset, readFileSync(join(dir, dataset), "utf8"));
          },
          commit: async () => undefined,
          abort: async () => undefined,
        },
      ],
      workDir: dir,
      pool: choice.pool,
    });
    return { summary, digest, text };
  } finally {
    source.dispose();
    rmSync(dir, { recursive: true, force: true });
  }
}

export const recordsOf = (d: Decoded, dataset: string): Record<string, any>[] =>
  (d.text.get(dataset) ?? "")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));

/** An id that two records have, if any: a store would keep only one of them. */
export function repeatedId(d: Decoded): string | undefined {
  const seen = new Set<string>();
  for (const text of d.text.values())
    for (const m of text.matchAll(/^\{"@timestamp":"[^"]*","event":\{"id":"([0-9a-f]{32})"/gm)) {
      if (seen.has(m[1])) return m[1];
      seen.add(m[1]);
    }
  return undefined;
}
