/** `threatflow extract`: packets of a flow, a filter or a range, out of the original capture. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import type { CaptureEntry } from "../catalog/catalog.js";
import { DEFAULT_DECODE } from "../config.js";
import { ThreatflowError } from "../errors.js";
import { readFilter } from "../ingest/filter.js";
import { type Choice, extract } from "../jobs/extract.js";
import { chooseFlow, nanos } from "../jobs/flow-choice.js";
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
  if (f.flow) {
    const search = await place.search();
    try {
      captureId = await chooseFlow(search, f.flow, choice);
    } finally {
      search.close();
    }
  }
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
  const { packets, incomplete } = await extract(path, entry.id, DEFAULT_DECODE, choice, f.output, work);
  process.stderr.write(
    `${number(packets)} packets written to ${f.output}${incomplete ? "; earlier ones were in segments that --keep deleted" : ""}\n`,
  );
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
