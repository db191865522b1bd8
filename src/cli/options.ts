/** What stands behind flags, checked. Throws USAGE. */
import { type DecodeOptions, defaultRun, type RunOptions } from "../config.js";
import { OVERLAP, type OverlapPolicy } from "../engine/native.js";
import { ThreatflowError } from "../errors.js";
import { hookSource } from "../hooks/hooks.js";
import type { Filter } from "../ingest/filter.js";

export function positive(text: string, flag: string): number {
  const n = Number(text);
  if (!Number.isSafeInteger(n) || n < 1)
    throw new ThreatflowError("USAGE", `${flag} takes a whole number from 1, not ${JSON.stringify(text)}`);
  return n;
}
function policy(text: string): OverlapPolicy {
  if (!(OVERLAP as readonly string[]).includes(text))
    throw new ThreatflowError("USAGE", `an overlap policy is one of ${OVERLAP.join(", ")}, not ${JSON.stringify(text)}`);
  return text as OverlapPolicy;
}
export function durationNs(text: string): bigint {
  const m = /^(\d+(?:\.\d+)?)(ns|us|ms|s|m|h|d)?$/.exec(text);
  if (!m) throw new ThreatflowError("USAGE", `a duration is written like 2s or 500ms, not ${JSON.stringify(text)}`);
  const unit = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12, d: 8.64e13 }[m[2] ?? "s"] as number;
  return BigInt(Math.round(Number(m[1]) * unit));
}

export interface RunFlags {
  workers?: string;
  shards?: string;
  window?: string;
}
export function runOptions(f: RunFlags): RunOptions {
  const run = defaultRun();
  if (f.workers !== undefined) run.workers = run.shards = positive(f.workers, "--workers");
  if (f.shards !== undefined) run.shards = positive(f.shards, "--shards");
  if (f.window !== undefined) run.windowBytes = Math.max(65536, positive(f.window, "--window"));
  return run;
}

export interface DecodeFlags {
  tcpOverlap: string;
  ipOverlap: string;
  dedup?: string;
  credentials?: boolean;
  hooks?: string;
}
export const decodeOptions = (f: DecodeFlags, filter: Filter | undefined): DecodeOptions => ({
  filter: filter?.text,
  tcpOverlap: policy(f.tcpOverlap),
  ipOverlap: policy(f.ipOverlap),
  dedupNs: f.dedup ? durationNs(f.dedup) : 0n,
  credentials: f.credentials === true,
  ...(f.hooks !== undefined && { hooks: hookSource(f.hooks) }),
});
