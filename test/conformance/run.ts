/** Agreement with other tools, per field, over a folder of captures: `node test/conformance/run.ts [CORPUS]`. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { decode } from "../support/decode.ts";
import { type Facts, fingerprints, tsharkEvents } from "./oracles.ts";
import { ourFacts } from "./ours.ts";

/** Recall that each field must reach with --check; the reasons for the rest stand in docs/differences.md. */
const FLOOR: Record<string, number> = {
  "ssh.banner": 100,
  "ssh.hassh": 100,
  "ssh.hasshserver": 100,
  "tls.sni": 100,
  "tls.ja3": 99.7,
  "tls.ja3s": 99.7,
  "http.method": 98.4,
  "http.host": 98.6,
  "http.target": 99.4,
  "http.status": 98.4,
  "dns.question": 99.4,
};
const CHECK = process.argv.includes("--check");
const CORPUS =
  process.argv.slice(2).find((a) => !a.startsWith("--")) ??
  process.env.CORPUS ??
  join(import.meta.dirname, "..", "..", "..", "shared", "pcaps");
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
const below: string[] = [];
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
    if (name === "tshark" && CHECK && want && (100 * got) / want < (FLOOR[field] ?? 0))
      below.push(`${field} ${((100 * got) / want).toFixed(2)} % < ${FLOOR[field]} %`);
    const pct = (a: number, b: number): string => (b ? `${((100 * a) / b).toFixed(2)} %` : "");
    console.log(
      `| ${name} | ${field} | ${want} | ${got} | ${pct(got, want)} | ${precise ? mine : ""} | ${precise ? right : ""} | ${pct(right, mine)} |`,
    );
  }
}
compare("tshark", tshark, true);
for (const [tool, facts] of prints) compare(tool, facts, false);
if (VERBOSE) for (const l of lines) console.log(l);
console.log(below.length ? `conformance: below the floor: ${below.join("; ")}` : "conformance: every field reaches its floor");
process.exit(below.length ? 1 : 0);
