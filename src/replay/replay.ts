/** Captures beside what is expected of them: analysed, compared, told. One process is warm for all of them (several: src/replay/jobs.ts). */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { parse } from "yaml";
import { systemError, ThreatflowError } from "../errors.js";
import { capturesIn } from "../ingest/folder.js";
import { compare, type Difference, type Tolerance } from "./compare.js";
import { check, readConditions } from "./conditions.js";
import { entryOf, recordsOf, textOf } from "./records.js";

/** Endings that an expectation's name leaves out. */
const CAPTURE = /\.(pcap|pcapng|cap|dmp|trace)(\.gz|\.zst)?$/;
const CONFIG = "replay.yaml";

export interface Case {
  path: string;
  /** Beside it, where they exist. */
  records: string | undefined;
  conditions: string | undefined;
}
export interface Outcome {
  name: string;
  case: Case;
  seconds: number;
  status: "same" | "different" | "updated" | "no-expectation";
  differences: Difference[];
}

/** Captures below a folder in name order. `x.pcap` expects `x.expected.ndjson` or `x.expect.yaml`; `x.pcap.expected.ndjson` works too. */
export function casesIn(dir: string): Case[] {
  let paths: string[];
  try {
    paths = [...capturesIn(dir)];
  } catch (error) {
    throw systemError(error, dir);
  }
  return paths.map((path) => {
    const stem = path.replace(CAPTURE, "");
    const beside = (ending: string): string | undefined => [`${path}${ending}`, `${stem}${ending}`].find((p) => existsSync(p));
    return { path, records: beside(".expected.ndjson"), conditions: beside(".expect.yaml") };
  });
}

/** `DIR/replay.yaml`: `ignore: [fields]`, `tolerance: { field: most }`. */
export function readConfig(dir: string): Tolerance {
  const path = join(dir, CONFIG);
  if (!existsSync(path)) return { ignore: [], tolerance: {} };
  const c = (parse(readFileSync(path, "utf8")) ?? {}) as { ignore?: string[]; tolerance?: Record<string, number> };
  const fits =
    (c.ignore === undefined || (Array.isArray(c.ignore) && c.ignore.every((i) => typeof i === "string"))) &&
    Object.values(c.tolerance ?? {}).every((n) => typeof n === "number");
  if (!fits) throw new ThreatflowError("USAGE", `${path}: not understood`, "`ignore: [fields]` and `tolerance: { field: number }`");
  return { ignore: c.ignore ?? [], tolerance: c.tolerance ?? {} };
}

export async function replayOne(c: Case, dir: string, t: Tolerance, update: boolean): Promise<Outcome> {
  const begun = performance.now();
  const outcome = (status: Outcome["status"], differences: Difference[] = []): Outcome => ({
    name: nameOf(c, dir),
    case: c,
    seconds: (performance.now() - begun) / 1000,
    status: differences.length ? "different" : status,
    differences,
  });
  if (!c.records && !c.conditions && !update) return outcome("no-expectation");
  try {
    const { entries } = await recordsOf(c.path);
    const differences: Difference[] = [];
    if (c.conditions) differences.push(...check(readConditions(c.conditions, readFileSync(c.conditions, "utf8")), entries));
    if (update && (c.records || !c.conditions)) {
      const target = c.records ?? `${c.path.replace(CAPTURE, "")}.expected.ndjson`;
      const text = textOf(entries);
      if (!c.records || readFileSync(target, "utf8") !== text) {
        writeFileSync(`${target}.part`, text);
        renameSync(`${target}.part`, target);
        return outcome("updated", differences);
      }
    } else if (c.records) {
      const expected = readFileSync(c.records, "utf8").split("\n").filter(Boolean).map(entryOf);
      differences.push(...compare(expected, entries, t));
    }
    return outcome("same", differences);
  } catch (error) {
    if (error instanceof ThreatflowError && error.code === "USAGE") throw error;
    return failed(c, dir, begun, (error as Error).message);
  }
}
/** What could not be analysed. */
export const failed = (c: Case, dir: string, begun: number, message: string): Outcome => ({
  name: nameOf(c, dir),
  case: c,
  seconds: (performance.now() - begun) / 1000,
  status: "different",
  differences: [{ kind: "failed", where: "the capture", fields: [], message }],
});
const nameOf = (c: Case, dir: string): string => relative(dir, c.path) || basename(c.path);
