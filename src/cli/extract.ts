/** `threatflow extract`: packets of a flow, a filter or a range, out of the original capture. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import type { CaptureEntry } from "../catalog/catalog.js";
import { DEFAULT_DECODE } from "../config.js";
import { ThreatflowError } from "../errors.js";
import { readFilter } from "../ingest/filter.js";
import { type Choice, extract } from "../jobs/extract.js";
import { openPlace, type Place } from "./place.js";
import { number } from "./text.js";

interface Flags {
  flow?: string;
  filter?: string;
  packets?: string;
  from?: string;
  to?: string;
  capture?: string;
  data?: string;
  output: string;
}

export function extractCommand(program: Command): void {
  program
    .command("extract")
    .description("cut packets out of the original capture, unchanged")
    .option("--flow <id>", "the packets of this flow (flow.id or a unique prefix)")
    .option("--filter <expr>", "the packets that a filter keeps")
    .option("--packets <a-b>", "a range of packet numbers")
    .option("--from <time>", "not before")
    .option("--to <time>", "not after")
    .option("--capture <id>", "which capture, where there are several")
    .option("--data <dir>", "data folder")
    .requiredOption("-o, --output <file>", "the capture to write, - for standard output")
    .action(async (f: Flags) => {
      const place = await openPlace(f.data);
      try {
        await cut(place, f);
      } finally {
        await place.close();
      }
    });
}

async function cut(place: Place, f: Flags): Promise<void> {
  const choice: Choice = {};
  let captureId: string | undefined;
  if (f.flow) captureId = await chooseFlow(place, f.flow, choice);
  if (f.filter) choice.filter = readFilter(f.filter);
  if (f.packets) choice.packets = range(f.packets);
  if (f.from) choice.from = nanos(f.from);
  if (f.to) choice.to = nanos(f.to);
  if (!f.flow && !f.filter && !f.packets && !f.from && !f.to)
    throw new ThreatflowError("USAGE", "say what to cut out: --flow, --filter, --packets, --from or --to");
  const entry = await chooseCapture(place, captureId ?? f.capture);
  const path = await place.evidence(entry);
  const work = join(place.settings.data as string, ".tmp");
  mkdirSync(work, { recursive: true });
  const n = await extract(path, entry.id, DEFAULT_DECODE, choice, f.output, work);
  process.stderr.write(`${number(n)} packets written to ${f.output}\n`);
}

/** The flow's packets are those of its key between its first and its last packet. */
async function chooseFlow(place: Place, id: string, choice: Choice): Promise<string> {
  if (!/^[0-9a-f]{8,32}$/.test(id))
    throw new ThreatflowError("USAGE", `a flow id has 32 hex digits (at least 8 of them), not ${JSON.stringify(id)}`);
  const search = await place.search();
  try {
    const found: string[] = [];
    for await (const line of search.records({
      query: `flow.id: ${id}${id.length < 32 ? "*" : ""}`,
      datasets: ["flow"],
      captures: undefined,
      limit: 2,
    }))
      found.push(line);
    if (found.length === 0)
      throw new ThreatflowError("NO_SUCH_FLOW", `there is no flow ${id} here`, "`threatflow query '*' --dataset flow` shows them");
    if (found.length > 1) throw new ThreatflowError("NO_SUCH_FLOW", `more than one flow begins with ${id}`, "give more digits");
    const r = JSON.parse(found[0]) as { event: { start: string; end: string }; threatflow: { packet: number; capture: { id: string } } };
    choice.flowOf = r.threatflow.packet;
    choice.from = nanos(r.event.start);
    choice.to = nanos(r.event.end);
    return r.threatflow.capture.id;
  } finally {
    search.close();
  }
}

async function chooseCapture(place: Place, id: string | undefined): Promise<CaptureEntry> {
  if (id) return place.catalog.resolve(id);
  const all = await place.catalog.list();
  if (all.length === 1) return all[0];
  throw new ThreatflowError(
    "USAGE",
    all.length ? "there are several captures here" : "there is no capture here",
    all.length ? "name one with --capture" : "`threatflow analyze FILE` imports one",
  );
}

function range(text: string): [number, number] {
  const m = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (!m) throw new ThreatflowError("USAGE", `--packets takes A-B, not ${JSON.stringify(text)}`);
  return [Number(m[1]), Number(m[2] ?? m[1])];
}
/** ns of an RFC 3339 time with up to nine digits. */
function nanos(text: string): bigint {
  const m = /^(\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?)(?:\.(\d{1,9}))?Z?$/.exec(text);
  const ms = m ? Date.parse(`${m[1].replace(" ", "T")}${m[1].length > 10 ? "Z" : "T00:00:00Z"}`) : Number.NaN;
  if (!m || Number.isNaN(ms)) throw new ThreatflowError("USAGE", `a time is written like 2026-11-24T03:17:00, not ${JSON.stringify(text)}`);
  return BigInt(ms) * 1000000n + BigInt((m[2] ?? "0").padEnd(9, "0"));
}
