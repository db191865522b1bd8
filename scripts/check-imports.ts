/** Imports point down the way of the packet and never make a cycle; a decoder imports no other protocol. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";

const root = join(import.meta.dirname, "..", "src");
/** Rooms that each room may import, besides itself, config and errors. */
const MAY: Record<string, readonly string[]> = {
  engine: [],
  decoders: ["engine", "records"],
  records: ["engine", "decoders", "flows"],
  flows: ["engine", "decoders", "records", "sinks"],
  checkpoint: ["engine", "flows", "records"],
  hooks: ["engine", "records"],
  ingest: ["engine", "hooks", "records", "settings"],
  sinks: ["engine", "decoders", "records", "search"],
  search: ["records", "settings"],
  catalog: ["jobs", "records", "search"],
  jobs: ["catalog", "engine", "decoders", "records", "ingest", "search", "settings", "sinks", "online", "pipeline"],
  pipeline: ["checkpoint", "engine", "flows", "ingest", "records", "sinks"],
  replay: ["ingest", "jobs", "records", "search", "sinks"],
  online: ["engine", "hooks", "flows", "pipeline", "records", "sinks"],
  access: ["catalog"],
  api: ["access", "catalog", "ingest", "jobs", "records", "search", "settings", "sinks"],
  cli: ["access", "api", "catalog", "engine", "hooks", "ingest", "jobs", "records", "replay", "search", "settings", "sinks"],
};
const room = (file: string): string => relative(root, file).split("/")[0].replace(/\.ts$/, "");
const problems: string[] = [];
const graph = new Map<string, string[]>();
for (const name of readdirSync(root, { recursive: true, encoding: "utf8" })) {
  if (!name.endsWith(".ts") || name.endsWith(".d.ts") || name.endsWith(".test.ts")) continue;
  const file = join(root, name);
  const values: string[] = [];
  for (const m of readFileSync(file, "utf8").matchAll(/^(?:import|export)\s(type\s)?[^;]*?from\s+"(\.[^"]+)"/gm)) {
    const target = normalize(join(dirname(file), m[2])).replace(/\.js$/, ".ts");
    const from = room(file);
    const to = room(target);
    if (
      from !== to &&
      !["alive", "config", "errors", "file-bytes"].includes(to) &&
      !MAY[from]?.includes(to) &&
      !(from === "config" && m[1])
    )
      problems.push(`${name} imports ${relative(root, target)}: ${from} may not import ${to}`);
    const protocol = /^decoders\/([a-z_]+)\//.exec(name)?.[1];
    const other = /^decoders\/([a-z_]+)\//.exec(relative(root, target))?.[1];
    if (protocol && other && protocol !== other) problems.push(`${name} imports another protocol: ${relative(root, target)}`);
    if (!m[1]) values.push(target);
  }
  graph.set(file, values);
}
const done = new Set<string>();
function walk(file: string, path: string[]): void {
  if (path.includes(file)) {
    problems.push(`cycle: ${[...path.slice(path.indexOf(file)), file].map((f) => relative(root, f)).join(" → ")}`);
    return;
  }
  if (done.has(file)) return;
  for (const next of graph.get(file) ?? []) walk(next, [...path, file]);
  done.add(file);
}
for (const file of graph.keys()) walk(file, []);
for (const p of problems) console.log(p);
console.log(`imports: ${graph.size} files, ${problems.length} problems`);
process.exit(problems.length ? 1 : 0);
