/** `threatflow captures list|show|verify|hold|tag`, `export`, `delete`. */
import { createHash } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import type { Command } from "commander";
import { type CaptureEntry, type Membership, membershipsOf, mustNotBeHeld } from "../catalog/catalog.js";
import { ThreatflowError } from "../errors.js";
import { whoami } from "../ingest/capture-store.js";
import { settleBroken } from "../jobs/live-entries.js";
import { exportRecords } from "./export-records.js";
import { openPlace } from "./place.js";
import { number, size, table } from "./text.js";

interface Flags {
  data?: string;
  json?: boolean;
  why: string;
  release?: boolean;
  note?: string;
}

export function captureCommands(program: Command): void {
  const captures = program.command("captures").description("the captures that were imported");
  captures
    .command("list", { isDefault: true })
    .option("--data <dir>", "data folder")
    .option("--json", "one object a line")
    .action(async (f: Flags) => {
      const place = await openPlace(f.data);
      await settleBroken(place.settings.data as string, place.catalog).catch(() => undefined); // who may not write sees it as it was
      const all = await place.catalog.list();
      await place.close();
      if (f.json) for (const c of all) process.stdout.write(`${JSON.stringify(c)}\n`);
      else if (all.length === 0) process.stderr.write("no captures; `threatflow analyze FILE` imports one\n");
      else process.stdout.write(`${table(["id", "added", "packets", "bytes", "status", "name"], all.map(row))}\n`);
    });
  captures
    .command("show <id>")
    .option("--data <dir>", "data folder")
    .action(async (id: string, f: Flags) => {
      const place = await openPlace(f.data);
      try {
        process.stdout.write(`${JSON.stringify(await place.catalog.resolve(id), null, 2)}\n`);
      } finally {
        await place.close();
      }
    });
  captures
    .command("verify <id>")
    .description("read the kept bytes and compare their SHA-256 with the capture's id")
    .option("--data <dir>", "data folder")
    .action(async (id: string, f: Flags) => {
      const place = await openPlace(f.data);
      try {
        const c = await place.catalog.resolve(id);
        const hash = createHash("sha256");
        const path = await place.evidence(c);
        if (statSync(path).isDirectory())
          throw new ThreatflowError(
            "USAGE",
            `${c.name} was recorded in segments, of which no hash is kept`,
            "only captures that were given as files can be verified",
          );
        for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
        if (hash.digest("hex") !== c.id)
          throw new ThreatflowError(
            "EVIDENCE_CHANGED",
            `${path} is not what was imported: its SHA-256 differs`,
            "put the original bytes back",
          );
        process.stdout.write(`${c.id}  ${c.name}: unchanged\n`);
      } finally {
        await place.close();
      }
    });
  captures
    .command("hold <id>")
    .description("keep a capture: neither delete nor expire removes it")
    .option("--why <text>", "the reason", "evidence")
    .option("--release", "end it")
    .option("--data <dir>", "data folder")
    .action(async (id: string, f: Flags) => {
      const hold = f.release ? undefined : { by: whoami(), at: new Date().toISOString(), why: f.why };
      const c = await describe(id, f, (m) => ({ ...m, hold }));
      process.stderr.write(`${c.name}: ${hold ? `held (${f.why})` : "released"}\n`);
    });
  captures
    .command("tag <id> [tags...]")
    .description("give a capture these tags, in place of those it has")
    .option("--note <text>", "and a note")
    .option("--data <dir>", "data folder")
    .action(async (id: string, tags: string[], f: Flags) => {
      const c = await describe(id, f, (m) => ({ ...m, tags, ...(f.note !== undefined && { note: f.note }) }));
      process.stderr.write(`${c.name}: ${tags.length ? tags.join(", ") : "no tags"}\n`);
    });
  program
    .command("export <capture>")
    .description("write a capture's records as analyze --ndjson does")
    .requiredOption("--ndjson <dir>", "folder for <dataset>.ndjson")
    .option("--data <dir>", "data folder")
    .action(async (id: string, f: Flags & { ndjson: string }) => {
      const place = await openPlace(f.data);
      try {
        const c = await place.catalog.resolve(id);
        if (c.status !== "done")
          throw new ThreatflowError("NO_SUCH_CAPTURE", `${c.name} is ${c.status}`, "wait for it, or `threatflow jobs list`");
        const search = await place.search();
        try {
          await exportRecords(search, c.id, f.ndjson);
        } finally {
          search.close();
        }
        process.stderr.write(`${c.name}: records written to ${f.ndjson}\n`);
      } finally {
        await place.close();
      }
    });
  program
    .command("delete <capture>")
    .description("remove a capture's records everywhere (and the copy of its bytes, where one was kept)")
    .option("--data <dir>", "data folder")
    .action(async (id: string, f: Flags) => {
      const place = await openPlace(f.data);
      try {
        mustNotBeHeld(await place.catalog.resolve(id));
        process.stderr.write(`${await place.remove(id)}: deleted\n`);
      } finally {
        await place.close();
      }
    });
}
/** Changes what every case says of a capture. */
async function describe(id: string, f: Flags, change: (m: Membership) => Membership): Promise<CaptureEntry> {
  const place = await openPlace(f.data);
  try {
    const c = await place.catalog.resolve(id);
    const next = await place.catalog.update(c.id, (e) => ({
      ...e,
      cases: Object.fromEntries(Object.entries(membershipsOf(e)).map(([name, m]) => [name, change(m)])),
    }));
    return next ?? c;
  } finally {
    await place.close();
  }
}
const row = (c: CaptureEntry): string[] => [
  c.id.slice(0, 12),
  c.added.slice(0, 19),
  c.summary ? number(c.summary.capture.packets) : "",
  size(c.bytes),
  c.live ? "recording" : c.status === "done" ? (c.summary?.status ?? c.status) : c.status,
  c.name,
];
