/**
 * A long stream through the whole path, nothing kept: generated on the fly into `analyze - --no-evidence --discard`. Memory (PSS of the
 * analysing processes, page cache left out) and descriptors are looked at every second: the last quarter must not need a tenth more than the
 * second, the end not three quarters more than the last quarter, and every packet must be accounted for. `node scripts/soak.ts [GIGABYTES]`, 20 by default.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { held } from "./processes.ts";

const root = join(import.meta.dirname, "..");
const gigabytes = Number(process.argv[2] ?? 20);
/** Of scripts/generate-capture.ts: bytes that one client's conversations take. */
const CLIENT_BYTES = 371_000;
const clients = Math.ceil((gigabytes * 1e9) / CLIENT_BYTES);

const generator = spawn(process.execPath, [join(root, "scripts", "generate-capture.ts"), "-", String(clients)], {
  stdio: ["ignore", "pipe", "ignore"],
});
const analyst = spawn(join(root, "bin", "threatflow"), ["analyze", "-", "--no-evidence", "--discard", "--json", "--quiet"], {
  stdio: ["pipe", "pipe", "inherit"],
});
let bytes = 0;
generator.stdout.on("data", (b: Buffer) => {
  bytes += b.length;
});
generator.stdout.pipe(analyst.stdin);
let summary = "";
analyst.stdout.on("data", (b: Buffer) => {
  summary += b;
});

interface Look {
  seconds: number;
  bytes: number;
  memory: number;
  descriptors: number;
}
const looks: Look[] = [];
const begun = Date.now();
function look(): void {
  const now = held(analyst.pid as number);
  if (now.memory) looks.push({ seconds: (Date.now() - begun) / 1000, bytes, ...now });
}
const timer = setInterval(look, 1000);
const status = await new Promise<number | null>((resolve) => analyst.on("close", resolve));
clearInterval(timer);

/** Quarters of the stream while it comes; 4: behind its last byte, when all that is open ends and the records are put in order. */
const quarter = (n: number): Look[] => looks.filter((l) => (l.bytes === bytes ? n === 4 : Math.floor((4 * l.bytes) / bytes) === n));
const most = (n: number, what: "memory" | "descriptors"): number => Math.max(...quarter(n).map((l) => l[what]));
console.log("| quarter | GB | memory MB (most) | descriptors (most) |\n|---|---:|---:|---:|");
for (let n = 0; n < 5; n++)
  console.log(
    `| ${n < 4 ? n + 1 : "end"} | ${((bytes * Math.min(4, n + 1)) / 4e9).toFixed(1)} | ${most(n, "memory").toFixed(0)} | ${most(n, "descriptors")} |`,
  );
const s = JSON.parse(summary || "{}");
const a = s.accounting ?? {};
const lost = Object.values((a.undecodable ?? {}) as Record<string, number>).reduce((x, y) => x + y, 0);
const problems: string[] = [];
if (status !== 0) problems.push(`exit ${status}`);
if (a.read !== a.decoded + a.filtered + a.duplicate + lost) problems.push(`accounting: ${JSON.stringify(a)}`);
if (most(3, "memory") > 1.1 * most(1, "memory")) problems.push("memory grows");
if (most(4, "memory") > 1.75 * most(3, "memory")) problems.push("the end needs too much memory");
if (most(3, "descriptors") > most(1, "descriptors") + 2) problems.push("descriptors grow");
const seconds = (Date.now() - begun) / 1000;
console.log(
  `soak: ${(bytes / 1e9).toFixed(1)} GB, ${a.read} packets, ${Object.values((s.records ?? {}) as Record<string, number>).reduce((x, y) => x + y, 0)} records, ${seconds.toFixed(0)} s, ${problems.length ? problems.join("; ") : "flat, all accounted for"}`,
);
process.exit(problems.length ? 1 : 0);
