/**
 * Agreement with other tools, per field, over a folder of captures: `node test/conformance/run.ts [FOLDER] [--check] [--write]`. What the
 * folder's `expected/` says; without it, what the tshark on PATH says now. --check: fails below the floors; --write: docs/conformance.md.
 * VERBOSE=1 lists every disagreement.
 */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decode } from "../support/decode.ts";
import { conversations, type Facts, fingerprints, packetCounts, tsharkEvents, tsharkNow } from "./oracles.ts";
import { ourFacts } from "./ours.ts";
import { reasonFor } from "./reasons.ts";

/** Agreement that each of tshark's fields must reach with --check, differences that have a reason left out. */
const FLOOR = 99.5;
const flags = process.argv.slice(2).filter((a) => a.startsWith("--"));
const root = join(import.meta.dirname, "..", "..");
const CORPUS = process.argv.slice(2).find((a) => !a.startsWith("--")) ?? process.env.CORPUS ?? join(root, "..", "shared", "pcaps");
if (!existsSync(CORPUS)) {
  console.log(`conformance: skipped, no folder ${CORPUS}`);
  process.exit(0);
}
const expected = join(CORPUS, "expected");
const recorded = existsSync(expected);

const oracles = new Map<string, Facts>();
let capped = new Set<string>();
if (recorded) {
  const t = tsharkEvents(expected);
  capped = t.capped;
  oracles.set("tshark", t.facts);
  oracles.set("tshark packets", packetCounts(expected));
  for (const [tool, facts] of conversations(expected)) oracles.set(`${tool} flows`, facts);
  for (const [tool, facts] of fingerprints(expected)) oracles.set(tool, facts);
} else oracles.set("tshark", new Map());

const CAPTURE = /\.(pcap|pcapng|cap|dmp|trace|pcap\.gz|pcap\.zst)$/i;
const files = recorded
  ? [...new Set([...oracles.values()].flatMap((facts) => [...facts.values()].flatMap((byFile) => [...byFile.keys()])))].sort()
  : readdirSync(CORPUS, { recursive: true, encoding: "utf8" })
      .filter((f) => CAPTURE.test(f))
      .sort();
const ours: Facts = new Map();
for (const file of files) {
  const path = join(CORPUS, file);
  if (!existsSync(path)) continue;
  try {
    ourFacts(ours, file, await decode(path));
  } catch (error) {
    console.log(`${file}: ${(error as Error).message}`);
    continue;
  }
  if (!recorded && !tsharkNow(oracles.get("tshark") as Facts, path, file)) {
    console.log("conformance: skipped, no folder expected/ and no tshark here");
    process.exit(0);
  }
}

interface Difference {
  oracle: string;
  field: string;
  file: string;
  what: "MISSING" | "EXTRA";
  value: string;
  reason: string | undefined;
}
interface Line {
  oracle: string;
  field: string;
  /** Theirs, and ours of them; ours where theirs is complete, and theirs of them. */
  want: number;
  got: number;
  mine: number;
  right: number;
  /** Differences that have a reason: of want, and of mine. */
  explained: number;
  explainedExtra: number;
}
const differences: Difference[] = [];
const lines: Line[] = [];
/** Fields of which an oracle tells all there is: what we have besides is a difference too. */
const complete = (oracle: string, field: string): boolean => oracle === "tshark" || field === "capture.read";
for (const [oracle, facts] of oracles)
  for (const [field, byFile] of facts) {
    const l: Line = { oracle, field, want: 0, got: 0, mine: 0, right: 0, explained: 0, explainedExtra: 0 };
    const differs = (file: string, what: Difference["what"], value: string): boolean => {
      const reason = reasonFor(oracle, field, file, what, value, ours.get(field)?.get(file) ?? new Set());
      differences.push({ oracle, field, file, what, value, reason });
      return reason !== undefined;
    };
    for (const [file, values] of byFile) {
      const own = ours.get(field)?.get(file) ?? new Set();
      for (const v of values) {
        l.want++;
        if (own.has(v)) l.got++;
        else if (differs(file, "MISSING", v)) l.explained++;
      }
    }
    if (complete(oracle, field))
      for (const [file, own] of ours.get(field) ?? []) {
        if (capped.has(file)) continue;
        for (const v of own) {
          if (!byFile.has(file) && field === "capture.read") continue;
          l.mine++;
          if (byFile.get(file)?.has(v)) l.right++;
          else if (differs(file, "EXTRA", v)) l.explainedExtra++;
        }
      }
    lines.push(l);
  }

const pct = (a: number, b: number): string => (b ? `${((100 * a) / b).toFixed(2)} %` : "");
const table = [
  "| oracle | field | theirs | we agree | recall | ours | they agree | precision | with reasons counted |",
  "|---|---|---:|---:|---:|---:|---:|---:|---:|",
  ...lines.map(
    (l) =>
      `| ${l.oracle} | ${l.field} | ${l.want} | ${l.got} | ${pct(l.got, l.want)} | ${l.mine || ""} | ${l.mine ? l.right : ""} | ${pct(l.right, l.mine)} | ${pct(l.got + l.explained + l.right + l.explainedExtra, l.want + l.mine)} |`,
  ),
];
for (const t of table) console.log(t);
if (process.env.VERBOSE)
  for (const d of differences)
    console.log(`${d.oracle} ${d.field} ${d.file} ${d.what} ${d.value.slice(0, 120)}${d.reason ? ` — ${d.reason}` : ""}`);
if (flags.includes("--write")) writeFileSync(join(root, "docs", "conformance.md"), document());
const below = lines
  .filter((l) => l.oracle.startsWith("tshark") && recorded)
  .filter((l) => (100 * (l.got + l.explained + l.right + l.explainedExtra)) / (l.want + l.mine) < FLOOR)
  .map((l) => `${l.oracle} ${l.field}`);
const open = differences.filter((d) => !d.reason).length;
console.log(
  `conformance: ${lines.reduce((a, l) => a + l.want + l.mine, 0)} facts, ${differences.length} differences, ${open} without a reason`,
);
if (!flags.includes("--check")) process.exit(0);
console.log(below.length ? `conformance: below ${FLOOR} %: ${below.join("; ")}` : "conformance: every field reaches its floor");
process.exit(below.length ? 1 : 0);

function document(): string {
  const reasons = Map.groupBy(
    differences.filter((d) => d.reason),
    (d) => d.reason as string,
  );
  const unexplained = differences.filter((d) => !d.reason);
  const shown = (d: Difference): string =>
    `| ${d.oracle} | ${d.field} | ${d.file} | ${d.what === "MISSING" ? "theirs" : "ours"} | \`${d.value.slice(0, 90).replace(/[|`\n\r]/g, "?")}\` |`;
  return [
    "# Agreement with other tools",
    "",
    "Written by `node test/conformance/run.ts --write` over a corpus of 1,080 public captures, against what tshark 4.0.17, nDPI, Arkime, Suricata and FoxIO's JA4 tools",
    "say of them. Facts are sets of (file, field, value). *With reasons counted*: agreement where differences that have a reason below are left out. On any folder of",
    "captures: `make corpus CORPUS=dir`, or `node test/conformance/run.ts dir` (without an `expected/` in it, the tshark on PATH is asked).",
    "",
    ...table,
    "",
    "## Differences, by reason",
    "",
    "| reason | differences | files |",
    "|---|---:|---:|",
    ...[...reasons]
      .sort((a, b) => b[1].length - a[1].length)
      .map(([r, ds]) => `| ${r} | ${ds.length} | ${new Set(ds.map((d) => d.file)).size} |`),
    "",
    "## Differences without a reason yet",
    "",
    ...(unexplained.length ? ["| oracle | field | file | whose | value |", "|---|---|---|---|---|", ...unexplained.map(shown)] : ["None."]),
    "",
  ].join("\n");
}
