/**
 * Runs every capture under $CORPUS: no exception, no hang, an exit that has a name, the accounting identity. With L1=1 also the same bytes
 * for shards 1, 2, 3, 8 × windows 64 KiB, 4 MiB, in segments that go on from checkpoints, and where quiet flows are forgotten at once. The records of each capture are those whose digest stands in test/corpus.sha256: a change of any record
 * of any capture is seen, and taken over with UPDATE=1 when it was meant.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { ThreatflowError } from "../dist/errors.js";
import { validateLine } from "../dist/records/validator.js";
import { decode, decodeForgetful, forgetful, repeatedId } from "../test/support/decode.ts";
import { decodeInSegments } from "../test/support/segments.ts";

const CORPUS = process.env.CORPUS ?? join(import.meta.dirname, "..", "..", "shared", "pcaps");
if (!existsSync(CORPUS)) {
  console.log(`corpus: skipped, no folder ${CORPUS} (set CORPUS)`);
  process.exit(0);
}
const NOT_CAPTURES = /\.(csv|md|txt|json|yaml|out|test)$/i;
function* walk(dir: string): Generator<string> {
  for (const name of readdirSync(dir).sort()) {
    const path = join(dir, name);
    if (statSync(path).isDirectory()) {
      if (!(dir === CORPUS && name === "expected")) yield* walk(path);
    } else if (!NOT_CAPTURES.test(name)) yield path;
  }
}

/** First 16 hex digits of the SHA-256 of a capture's records, by path. */
const DIGESTS = join(import.meta.dirname, "..", "test", "corpus.sha256");
const known = new Map(
  (existsSync(DIGESTS) ? readFileSync(DIGESTS, "utf8") : "")
    .split("\n")
    .filter(Boolean)
    .map((l) => [l.slice(18), l.slice(0, 16)] as const),
);
const found = new Map<string, string>();
const digest = (text: ReadonlyMap<string, string>): string => {
  const h = createHash("sha256");
  for (const dataset of [...text.keys()].sort()) h.update(text.get(dataset) as string);
  return h.digest("hex").slice(0, 16);
};

const only = process.env.ONLY ? new RegExp(process.env.ONLY) : undefined;
let files = 0;
let refused = 0;
const problems: string[] = [];
const exceptions = new Map<string, number>();
const problem = (file: string, what: string): void => {
  problems.push(`${relative(CORPUS, file)}: ${what}`);
};

for (const file of walk(CORPUS)) {
  if (only && !only.test(file)) continue;
  files++;
  const begun = performance.now();
  try {
    const base = await decode(file, { shards: 1, windowBytes: 1 << 20 });
    const seconds = (performance.now() - begun) / 1000;
    if (seconds > 10 && statSync(file).size < 16 << 20) problem(file, `took ${seconds.toFixed(1)} s`);
    const name = relative(CORPUS, file);
    found.set(name, digest(base.text));
    if (known.has(name) && known.get(name) !== found.get(name) && !process.env.UPDATE)
      problem(file, "other records than before (UPDATE=1 takes them over, if that was meant)");
    const a = base.summary.accounting;
    const sum = a.decoded + a.filtered + a.duplicate + Object.values(a.undecodable).reduce((x, y) => x + y, 0);
    if (a.read !== sum || a.decoded < 0 || a.read !== base.summary.capture.packets) problem(file, `accounting ${JSON.stringify(a)}`);
    if (base.summary.limits["decoder-exceptions"])
      problem(file, `${base.summary.limits["decoder-exceptions"]} decoder exceptions: ${base.summary.firstException ?? ""}`);
    const twice = repeatedId(base);
    if (twice) problem(file, `two records have the id ${twice}`);
    for (const [dataset, text] of base.text)
      for (const line of text.split("\n")) {
        if (!line) continue;
        const wrong = validateLine(dataset, line);
        if (wrong) {
          problem(file, `${dataset}: ${wrong}`);
          break;
        }
      }
    if (process.env.L1) {
      for (const shards of [1, 2, 3, 8])
        for (const windowBytes of [64 << 10, 4 << 20]) {
          if (
            process.env.L1 === "sample" &&
            (files % 4 !== 0 || !((shards === 3 && windowBytes < 1 << 20) || (shards === 8 && windowBytes > 1 << 20)))
          )
            continue;
          const again = await decode(file, { shards, windowBytes });
          for (const dataset of new Set([...base.text.keys(), ...again.text.keys()]))
            if (base.text.get(dataset) !== again.text.get(dataset))
              problem(file, `L1: ${dataset} differs with ${shards} shards, window ${windowBytes}`);
        }
    }
    if (process.env.L1 && (process.env.L1 !== "sample" || files % 4 === 1)) {
      const again = await decodeForgetful(file);
      for (const dataset of new Set([...base.text.keys(), ...again.text.keys()]))
        if (base.text.get(dataset) !== again.text.get(dataset)) problem(file, `${dataset} differs where quiet flows are forgotten at once`);
    }
    if (process.env.L1 && (process.env.L1 !== "sample" || files % 3 === 0)) {
      const inSegments = () => decodeInSegments(file, { segments: 5, shards: 1 + (files % 3) });
      const cut = await (files % 2 ? forgetful(inSegments) : inSegments());
      for (const dataset of new Set([...base.text.keys(), ...cut.text.keys()]))
        if (base.text.get(dataset) !== cut.text.get(dataset)) problem(file, `L1: ${dataset} differs in segments`);
    }
  } catch (error) {
    if (error instanceof ThreatflowError && error.code !== "INTERNAL") refused++;
    else problem(file, String((error as Error).stack ?? error));
  }
}
if (process.env.UPDATE) {
  for (const [name, d] of found) known.set(name, d);
  writeFileSync(
    DIGESTS,
    [...known]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, d]) => `${d}  ${name}\n`)
      .join(""),
  );
}
for (const p of problems.slice(0, Number(process.env.MOST ?? 60))) console.log(p);
for (const [e, n] of exceptions) console.log(n, e);
console.log(`corpus: ${files} files, ${files - refused} decoded, ${refused} refused with a named error, ${problems.length} problems`);
process.exit(problems.length ? 1 : 0);
