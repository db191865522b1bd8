/** What an analysis tells in the end: `--json` prints it, the catalogue keeps it. */
import type { NativeSummary } from "../engine/native.js";
import type { ShardResult } from "../pipeline.js";
import { type Accounting, firstAt, lastAt } from "../records/capture-record.js";
import { linktypeName } from "../records/protocols.js";
import { timestampAt } from "../records/time.js";

export interface Progress {
  stage: "store" | "survey" | "decode" | "write";
  done: number;
  total: number;
  /** Why nothing moves. */
  waiting?: string;
}
export interface SetAsideShard {
  shard: number;
  packets: number;
  first_offset: number;
  last_offset: number;
  reason: string;
}

/** What `--json` prints; also kept in the catalogue. */
export interface Summary {
  capture: {
    id: string;
    bytes: number;
    format: string;
    linktypes: string[];
    packets: number;
    first?: string;
    last?: string;
    name: string;
    compression?: string;
  };
  accounting: Accounting;
  records: Record<string, number>;
  seconds: number;
  status: "complete" | "partial" | "cancelled" | "queued";
  set_aside: SetAsideShard[];
  limits: Record<string, number>;
  refused_documents: number;
  /** Of `--hooks`: packets left out, packets that failed, and exceptions of the hooks, the first as text. */
  hooks?: { dropped: number; failed: number; first_failed?: number; exceptions: number; first_exception?: string };
  /** The first exception of a decoder, where there was one: a bug of ours. */
  firstException?: string;
  damage?: { truncated_at?: number; broken_records?: number; broken_bytes?: number; notes?: string[] };
  already_imported?: boolean;
  /** False: the bytes were not kept (`--no-evidence`), nothing can be cut out of them. */
  evidence?: boolean;
}

/** The capture's bytes as far as a summary tells of them. */
export interface Given {
  name: string;
  givenBytes: number;
  compression: string | undefined;
  notes: readonly string[];
}

export function summarize(
  source: Given,
  id: string,
  s: NativeSummary,
  accounting: Accounting,
  records: Record<string, number>,
  setAside: SetAsideShard[],
  results: readonly ShardResult[],
  seconds: number,
): Summary {
  const limits: Record<string, number> = {};
  const count = (name: string, n: number): void => {
    if (n) limits[name] = (limits[name] ?? 0) + n;
  };
  count("survey-fragments", s.fragmentLimit);
  for (const r of results) {
    for (const [name, n] of Object.entries(r.limits)) count(name, n);
    count("decoder-exceptions", r.exceptions);
  }
  const damaged = s.truncated || s.brokenRecords || source.notes.length;
  return {
    capture: {
      id,
      bytes: source.givenBytes,
      format: s.format,
      linktypes: s.linktypes.map(([n]) => linktypeName(n)),
      packets: s.read,
      first: s.read ? timestampAt(firstAt(s)) : undefined,
      last: s.read ? timestampAt(lastAt(s)) : undefined,
      name: source.name,
      compression: source.compression,
    },
    accounting,
    records,
    seconds: Math.round(seconds * 1000) / 1000,
    status: setAside.length ? "partial" : "complete",
    set_aside: setAside,
    limits,
    refused_documents: 0,
    hooks: s.hooks && { ...s.hooks, first_failed: s.hooks.first_failed?.packet },
    firstException: results.map((r) => r.firstException).find((x) => x !== undefined),
    damage: damaged
      ? {
          truncated_at: s.truncated ? s.truncatedAt : undefined,
          broken_records: s.brokenRecords || undefined,
          broken_bytes: s.brokenBytes || undefined,
          notes: source.notes.length ? [...source.notes] : undefined,
        }
      : undefined,
  };
}
