/**
 * What is not a record: which captures there are, where their bytes lie, how they were analysed and how far that is. One interface, one
 * conformance suite (test/catalog.test.ts), two implementations: node:sqlite embedded, an Elasticsearch index where work is spread.
 */
import { ThreatflowError } from "../errors.js";
import type { Summary } from "../jobs/summary.js";
import type { Digest } from "../records/digest.js";

export type CaptureStatus = "queued" | "surveying" | "decoding" | "indexing" | "done" | "failed" | "cancelled";
export interface CaptureEntry {
  /** SHA-256 of the capture's bytes. */
  id: string;
  /** Options and schema that make its records (SEMANTICS 14). */
  key: string;
  name: string;
  /** Bytes as given. */
  bytes: number;
  /** Where the original bytes lie; undefined: no evidence was kept. */
  path: string | undefined;
  /** RFC 3339. */
  added: string;
  status: CaptureStatus;
  /** Milliseconds since 1970 when this import was claimed: records of a later generation replace those of an earlier one, also after a delete. */
  generation: number;
  /** Records of an earlier generation may be there. */
  replaces?: boolean;
  /** Month of import, `2026.11`: names the indices, so that a retry meets the same ones. */
  month: string;
  /** Why it failed, and what to do. */
  error?: { code: string; message: string; remedy: string };
  /** It is still recorded, by this process of this machine. */
  live?: { host: string; pid: number };
  /** When this generation was queued, RFC 3339; where work is spread. */
  queued?: string;
  /** What a summary for people shows besides. */
  digest?: Digest;
  /** The cases it belongs to, and what each of them says of it; none: DEFAULT_CASE. A record knows no case. */
  cases?: Readonly<Record<string, Membership>>;
  /** Once done. */
  summary: Summary | undefined;
}
/** A capture as one case knows it. */
export interface Membership {
  name: string;
  /** RFC 3339. */
  added: string;
  by: string;
  tags?: string[];
  note?: string;
  /** Why it must not be deleted, and who said so. */
  hold?: { by: string; at: string; why: string };
}
export const DEFAULT_CASE = "default";
export const membershipsOf = (e: CaptureEntry): Readonly<Record<string, Membership>> =>
  e.cases ?? { [DEFAULT_CASE]: { name: e.name, added: e.added, by: "" } };
/** The entry, in this case too; as it is where it was. */
export function withCase(e: CaptureEntry, name: string, m: Membership): CaptureEntry {
  const all = membershipsOf(e);
  return name in all ? e : { ...e, cases: { ...all, [name]: m } };
}
/** Why a capture cannot be deleted. */
export function heldBy(e: CaptureEntry): string | undefined {
  if (e.live) return "it is still being recorded";
  for (const [name, m] of Object.entries(membershipsOf(e)))
    if (m.hold) return `case ${name} holds it: ${m.hold.why} (${m.hold.by}, ${m.hold.at.slice(0, 10)})`;
  return undefined;
}
/** Throws HELD. */
export function mustNotBeRecording(e: CaptureEntry): void {
  if (e.live)
    throw new ThreatflowError(
      "HELD",
      `${e.name} is still being recorded (process ${e.live.pid} on ${e.live.host})`,
      "stop that capture first",
    );
}
/** Throws HELD, also where it is still recorded. */
export function mustNotBeHeld(e: CaptureEntry): void {
  mustNotBeRecording(e);
  const why = heldBy(e);
  if (why)
    throw new ThreatflowError(
      "HELD",
      `${e.name} is kept: ${why}`,
      "release it first: `threatflow captures hold --release`, or Release on its card",
    );
}

export interface Catalog {
  find(id: string): Promise<CaptureEntry | undefined>;
  /** Entries of the ids that are there. */
  findAll(ids: readonly string[]): Promise<CaptureEntry[]>;
  /** By id or a unique prefix of at least 8 digits. Throws NO_SUCH_CAPTURE. */
  resolve(id: string): Promise<CaptureEntry>;
  /** By time of import, then id. */
  list(): Promise<CaptureEntry[]>;
  put(entry: CaptureEntry): Promise<void>;
  /** Changes the entry as it is now; two changers at once both take effect. `change` returns undefined to leave it. Undefined: not there. */
  update(id: string, change: (e: CaptureEntry) => CaptureEntry | undefined): Promise<CaptureEntry | undefined>;
  /** Puts it where there is none, or where `replace` agrees to the one that is there. Returns the entry there was otherwise. */
  claim(entry: CaptureEntry, replace: (there: CaptureEntry) => CaptureEntry | undefined): Promise<{ mine: boolean; entry: CaptureEntry }>;
  remove(id: string): Promise<void>;
  close(): void;
}

/** An entry as it begins: claimed now, its records still to come. */
export function freshEntry(given: Pick<CaptureEntry, "id" | "key" | "name" | "bytes" | "path" | "cases">): CaptureEntry {
  const now = new Date();
  return {
    ...given,
    added: now.toISOString(),
    queued: now.toISOString(),
    status: "queued",
    generation: now.getTime(),
    month: monthOf(now.toISOString()),
    summary: undefined,
  };
}
/** An import of bytes that were imported before: what people said of them stays. */
export const freshAgain = (fresh: CaptureEntry, there: CaptureEntry): CaptureEntry => ({
  ...fresh,
  added: there.added,
  month: there.month,
  cases: there.cases,
  generation: Math.max(fresh.generation, there.generation + 1),
});
export const monthOf = (added: string): string => added.slice(0, 7).replace("-", ".");
export const isIdPrefix = (id: string): boolean => /^[0-9a-f]{8,64}$/.test(id);

/** The one entry that a prefix names. */
export function theOnly(id: string, found: readonly CaptureEntry[]): CaptureEntry {
  if (found.length === 1) return found[0];
  if (found.length > 1) throw new ThreatflowError("NO_SUCH_CAPTURE", `more than one capture begins with ${id}`, "give more digits");
  throw new ThreatflowError("NO_SUCH_CAPTURE", `there is no capture ${id} here`, "`threatflow captures list` shows them");
}
