/**
 * Runs each command several times for its time and once more for its memory (asking the kernel for it costs time). Samples the memory (PSS) and CPU time of its process tree, and prints a table. CPU is what the kernel charged to the command
 * and the children it waited for, or the sum over the tree as last sampled, whichever is more: workers may outlive the wait.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
const [capture, runs, tmp] = process.argv.slice(2);
const has = (p) => spawnSync("sh", ["-c", `command -v ${p}`]).status === 0;
const commands = [
  ["tcpdump -w /dev/null", "tcpdump", ["-r", capture, "-w", "/dev/null"]],
  ["threatflow --ndjson", "bin/threatflow", ["analyze", capture, "--ndjson", `${tmp}/n`, "--quiet", "--json"]],
  ["threatflow, 1 worker", "bin/threatflow", ["analyze", capture, "--ndjson", `${tmp}/n`, "--quiet", "--json", "--workers", "1"]],
  ["threatflow, store", "bin/threatflow", ["analyze", capture, "--data", `${tmp}/d`, "--quiet", "--json"]],
  ["ndpiReader", "ndpiReader", ["-i", capture, "-q"]],
  ["suricata", "suricata", ["-r", capture, "-l", tmp, "-k", "none"]],
  ["zeek", "zeek", ["-C", "-r", capture]],
].filter(([, p]) => existsSync(p) || has(p));
if (process.env.TSHARK && has("tshark")) commands.push(["tshark fields", "tshark", ["-r", capture, "-T", "fields", "-e", "frame.number"]]);
function tree(pid) {
  const kids = new Map();
  for (const p of readdirSync("/proc").filter((n) => /^\d+$/.test(n))) {
    try {
      const ppid = Number(readFileSync(`/proc/${p}/stat`, "utf8").replace(/^.*\) . /, "").split(" ")[0]);
      kids.set(ppid, [...(kids.get(ppid) ?? []), Number(p)]);
    } catch {}
  }
  const all = [pid];
  for (const p of all) all.push(...(kids.get(p) ?? []));
  return all;
}
const TICKS = 100; // per second, USER_HZ
/** Memory of the tree in MB, where asked for; CPU seconds of each process go to `cpu`. */
function sample(pid, cpu, memory) {
  let kb = 0;
  for (const p of tree(pid)) {
    try {
      if (memory) kb += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${p}/smaps_rollup`, "utf8"))[1]);
      const fields = readFileSync(`/proc/${p}/stat`, "utf8").replace(/^.*\) /, "").split(" ");
      cpu.set(p, (Number(fields[11]) + Number(fields[12])) / TICKS);
    } catch {}
  }
  return kb / 1024;
}
async function once(program, args, memory) {
  rmSync(`${tmp}/d`, { recursive: true, force: true });
  const begun = performance.now();
  const child = spawn("/usr/bin/time", ["-f", "%U %S", "-o", `${tmp}/time`, program, ...args], { stdio: ["ignore", "pipe", "ignore"] });
  let out = "";
  child.stdout.on("data", (b) => { out += b; if (out.length > 1e6) out = ""; });
  let peak = 0;
  const cpu = new Map();
  const timer = setInterval(() => { peak = Math.max(peak, sample(child.pid, cpu, memory)); }, 100);
  await new Promise((r) => child.on("exit", r));
  clearInterval(timer);
  const [u, s] = readFileSync(`${tmp}/time`, "utf8").trim().split("\n").at(-1).split(" ").map(Number);
  const sampled = [...cpu.values()].reduce((a, b) => a + b, 0);
  return { wall: (performance.now() - begun) / 1000, cpu: Math.max(u + s, sampled), peak, out };
}
const rows = [];
let packets = 0;
for (const [name, program, args] of commands) {
  let best;
  for (let i = 0; i < Number(runs); i++) {
    const r = await once(program, args, false);
    if (!best || r.wall < best.wall) best = r;
  }
  best.peak = (await once(program, args, true)).peak;
  try { packets ||= JSON.parse(best.out).accounting.read; } catch {}
  rows.push([name, best]);
}
const base = rows[0][1];
console.log("| tool | wall s | CPU s | peak MB (PSS) | packets/s | wall ratio | CPU ratio |\n|---|---:|---:|---:|---:|---:|---:|");
for (const [name, r] of rows) console.log(`| ${name} | ${r.wall.toFixed(2)} | ${r.cpu.toFixed(2)} | ${r.peak.toFixed(0)} | ${Math.round(packets / r.wall).toLocaleString("en-US")} | ${(r.wall / base.wall).toFixed(1)} | ${(r.cpu / base.cpu).toFixed(1)} |`);
