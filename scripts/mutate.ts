/**
 * Mutation testing of decoders and the native code (limits left out): a wrong byte offset at a time, then a wrong number, comparison or sign
 * elsewhere; the golden records, the corpus and the unit tests must see it.
 * `node scripts/mutate.ts [TYPESCRIPT] [NATIVE] [SEED] [offset|other]` (60 and 60 mutants, half of them offsets): works in a copy of this folder,
 * names the survivors, and fails where less than 95 % of the wrong offsets are seen.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const [typescript, native, seed] = [Number(process.argv[2] ?? 60), Number(process.argv[3] ?? 60), Number(process.argv[4] ?? 7)];
const KINDS = ["offset", "other"] as const;
type Kind = (typeof KINDS)[number];
const kinds = KINDS.filter((k) => (process.argv[5] ?? k) === k);
/** What stands before a number that says where bytes lie: an index, a sum, an argument of what reads or takes bytes; an array's size is none. */
const BEFORE_OFFSET =
  /(?:[\w\])]\[|[\w\])] [+-] |\b(?:be16|be32|le32|load|u8|u16|u24|u32|u64|take|has|sub|subarray|slice|skip|drop|need)\((?:[^()]*[,+-] )?)$/;
const ARRAY_SIZE = /^\s*(?:(?:static|const) )*[\w:]+ \w+\[$/;
const FLOOR = 0.95;
let state = seed;
const below = (n: number): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
};

interface Mutant {
  kind: Kind;
  file: string;
  line: number;
  from: string;
  to: string;
  text: string;
}
/** Places where a line can be changed so that it still compiles. */
function mutants(file: string, text: string): Mutant[] {
  const out: Mutant[] = [];
  let at = 0;
  let comment = false;
  for (const [n, line] of text.split("\n").entries()) {
    const add = (index: number, from: string, to: string): void => {
      const kind =
        /^\d/.test(from) && !ARRAY_SIZE.test(code.slice(0, index)) && BEFORE_OFFSET.test(code.slice(0, index)) ? "offset" : "other";
      out.push({ kind, file, line: n + 1, from, to, text: text.slice(0, at + index) + to + text.slice(at + index + from.length) });
    };
    const code = line.replace(/\/\/.*$/, (c) => " ".repeat(c.length)).replace(/(["'`])(?:\\.|(?!\1).)*\1/g, (s) => " ".repeat(s.length));
    if (/^\s*\/\*/.test(code)) comment = true;
    if (
      !comment &&
      !/(MAX|MOST|LIMIT|kMax)/.test(line) &&
      !/^\s*(import|export \{|#|\*|using|namespace|constexpr|static_assert|template)/.test(code)
    ) {
      for (const m of code.matchAll(/(?<![\w.$])(\d{1,3})(?![\w.])/g)) add(m.index, m[1], String(Number(m[1]) + 1));
      for (const m of code.matchAll(/ (<=|>=|<|>|===|!==|==|!=) /g))
        add(
          m.index + 1,
          m[1],
          { "<": "<=", ">": ">=", "<=": "<", ">=": ">", "===": "!==", "!==": "===", "==": "!=", "!=": "==" }[m[1]] as string,
        );
      for (const m of code.matchAll(/ (&&|\|\|) /g)) add(m.index + 1, m[1], m[1] === "&&" ? "||" : "&&");
    }
    if (/\*\//.test(code)) comment = false;
    at += line.length + 1;
  }
  return out;
}
/** As many from each file, so that each header and decoder has its turn. */
function choose(dir: string, files: string[], most: number): Mutant[] {
  const all = files.map((f) => mutants(f, readFileSync(join(dir, f), "utf8")));
  return kinds.flatMap((kind) => {
    const left = all.map((list) => list.filter((m) => m.kind === kind));
    const chosen: Mutant[] = [];
    for (let i = 0; chosen.length < most / kinds.length && left.some((list) => list.length); i++) {
      const list = left[i % left.length];
      chosen.push(...list.splice(below(list.length), 1));
    }
    return chosen;
  });
}

const dir = mkdtempSync(join(tmpdir(), "threatflow-mutants-"));
const copy = join(dir, "threatflow");
for (const name of readdirSync(root))
  if (![".git", ".cache"].includes(name)) cpSync(join(root, name), join(copy, name), { recursive: true, verbatimSymlinks: true });
const run = (command: string, seconds = 120): boolean =>
  // `timeout` ends the whole group: a mutant that loops for ever would go on as an orphan.
  spawnSync("timeout", ["-s", "KILL", String(seconds), "bash", "-c", command], {
    cwd: copy,
    stdio: "ignore",
    env: { ...process.env, PATH: `${copy}/.node/bin:${process.env.PATH}` },
  }).status === 0;
const JEST = "node --experimental-vm-modules --disable-warning=ExperimentalWarning node_modules/jest/bin/jest.js";
/** What is fast; each tells by failing. */
const CORPUS = `CORPUS=${process.env.CORPUS ?? join(root, "..", "shared", "pcaps")} node scripts/corpus.ts`;
const GOLDEN = "bin/threatflow replay fixtures/pcaps --quiet";
/** A read past the end may change nothing that is told: the sanitizers see it. */
const SANITIZED =
  "cmake -S native -B build/asan -DSANITIZE=ON -DADDON=OFF -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null && cmake --build build/asan -j2 --target native_tests corpus_native -- -s >/dev/null 2>&1 && build/asan/native_tests && find fixtures/pcaps -name '*.pcap' -print0 | xargs -0 build/asan/corpus_native";
const SEEN_BY = {
  typescript: [GOLDEN, CORPUS, `${JEST} src test/cuts test/laws test/schema test/recut`],
  native: [
    "build/native/native_tests",
    GOLDEN,
    CORPUS,
    "[ $(id -u) -ne 0 ] || build/native/overlap_kernel",
    `${JEST} test/laws test/carriers test/recut`,
    SANITIZED,
  ],
};
const count: Record<Kind, { caught: number; survived: number }> = { offset: { caught: 0, survived: 0 }, other: { caught: 0, survived: 0 } };
let broken = 0;
function turn(kind: keyof typeof SEEN_BY, list: Mutant[], build: string | undefined): void {
  for (const [n, m] of list.entries()) {
    const path = join(copy, m.file);
    const original = readFileSync(path, "utf8");
    writeFileSync(path, m.text);
    const name = `${m.file}:${m.line} ${m.from} → ${m.to}: ${m.text.split("\n")[m.line - 1].trim().slice(0, 120)}`;
    if (build && !run(build, 300))
      broken++; // does not compile: no mutant
    else if (SEEN_BY[kind].every((c) => run(c, c === SANITIZED ? 600 : 120))) {
      count[m.kind].survived++;
      console.log(`survived ${n + 1}/${list.length} (${m.kind}) ${name}`);
    } else count[m.kind].caught++;
    writeFileSync(path, original);
  }
  if (build) run(build, 600);
}
try {
  if (!run("bin/threatflow replay fixtures/pcaps --quiet")) throw new Error("the copy does not work unchanged");
  const sourcesIn = (room: string): string[] =>
    readdirSync(join(copy, "src", room), { recursive: true, encoding: "utf8" })
      .filter((f) => f.endsWith(".ts") && !/\.test\.ts$|_template|registry|contract|anomalies|tables/.test(f))
      .map((f) => join("src", room, f));
  // A mutant that the types refuse is none; what the compiler writes all the same is not looked at.
  turn("typescript", choose(copy, [...sourcesIn("decoders"), ...sourcesIn("flows")], typescript), "node_modules/.bin/tsc -p tsconfig.json");
  const sources = [
    "wire/link.cc",
    "wire/radio.cc",
    "wire/frames.cc",
    "wire/network.cc",
    "wire/dissect.cc",
    "flow/transport.cc",
    "flow/defrag.cc",
    "flow/table.cc",
    "stream/reassembly.cc",
    "stream/retained.cc",
    "stream/waiting.cc",
    "stream/policy.h",
    "capture_file/walker.cc",
  ].map((f) => join("native", f));
  if (native > 0) {
    const cmake =
      "cmake -S native -B build/native -DNODE_INCLUDE=$PWD/.node/include/node -DNAPI_INCLUDE=$PWD/node_modules/node-addon-api >/dev/null && cmake --build build/native -j2 -- -s >/dev/null 2>&1";
    run(`rm -rf build/native build/asan && ${cmake}`, 900);
    turn("native", choose(copy, sources, native), cmake);
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
const shown = (k: Kind): string => {
  const { caught, survived } = count[k];
  return `${k}: ${caught} of ${caught + survived} caught (${((100 * caught) / (caught + survived)).toFixed(1)} %)`;
};
console.log(`mutants: ${kinds.map(shown).join("; ")}; ${broken} did not compile`);
const { caught, survived } = count.offset;
process.exit(caught >= FLOOR * (caught + survived) ? 0 : 1);
