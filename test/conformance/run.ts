/** Agreement with other tools, per field, over a folder of captures: `node test/conformance/run.ts [CORPUS]`. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { decode } from "../support/decode.ts";
import { type Facts, fingerprints, tsharkEvents } from "./oracles.ts";
import { ourFacts } from "./ours.ts";

const CORPUS = process.argv[2] ?? process.env.CORPUS ?? join(import.meta.dirname, "..", "..", "..", "shared", "pcaps");
const expected = join(CORPUS, "expected");
if (!existsSync(expected)) {
  console.log(`conformance: skipped, no folder ${expected}`);
  process.exit(0);
}
const { facts: tshark, capped } = tsharkEvents(expected);
const prints = fingerprints(expected);
const files = new Set<string>();
for (const source of [tshark, ...prints.values()]) for (const byFile of source.values()) for (const f of byFile.keys()) files.add(f);

const ours: Facts = new Map();
for (const file of [...files].sort()) {
  const path = join(CORPUS, file);
  if (!existsSync(path)) continue;
  try {
    ourFacts(ours, file, await decode(path));
  } catch (error) {
    console.log(`${file}: ${(error as Error).message}`);
  }
}

const VERBOSE = process.env.VERBOSE;
console.log("| oracle | field | expected | found | recall | ours | theirs | precision |");
console.log("|---|---|---:|---:|---:|---:|---:|---:|");
const lines: string[] = [];
function compare(name: string, facts: Facts, precise: boolean): void {
  for (const [field, byFile] of facts) {
    let want = 0;
    let got = 0;
    let mine = 0;
    let right = 0;
    for (const [file, values] of byFile) {
      const own = ours.get(field)?.get(file) ?? new Set();
      for (const v of values) {
        want++;
        if (own.has(v)) got++;
        else lines.push(`${name} ${field} ${file} MISSING ${v.slice(0, 120)}`);
      }
    }
    if (precise)
      for (const [file, own] of ours.get(field) ?? []) {
        if (capped.has(file)) continue;
        for (const v of own) {
          mine++;
          if (byFile.get(file)?.has(v)) right++;
          else lines.push(`${name} ${field} ${file} EXTRA ${v.slice(0, 120)}`);
        }
      }
    const pct = (a: number, b: number): string => (b ? `${((100 * a) / b).toFixed(2)} %` : "");
    console.log(
      `| ${name} | ${field} | ${want} | ${got} | ${pct(got, want)} | ${precise ? mine : ""} | ${precise ? right : ""} | ${pct(right, mine)} |`,
    );
  }
}
compare("tshark", tshark, true);
for (const [tool, facts] of prints) compare(tool, facts, false);
if (VERBOSE) for (const l of lines) console.log(l);
