/** `threatflow jobs list|retry|cancel`, `threatflow expire`: imports on their way, and old ones on their way out. */
import type { Command } from "commander";
import { type CaptureEntry, heldBy } from "../catalog/catalog.js";
import { DEFAULT_WINDOW_BYTES } from "../config.js";
import { ThreatflowError } from "../errors.js";
import { isDistributed, type Settings } from "../settings.js";
import { durationNs, positive } from "./options.js";
import { openPlace, settings } from "./place.js";
import { number, size, table } from "./text.js";

const DEFAULT_SHARDS = "16";
interface Flags {
  json?: boolean;
  all?: boolean;
  shards: string;
}

export function jobCommands(program: Command): void {
  const jobs = program.command("jobs").description("imports in the queue: list, retry, cancel");
  jobs
    .command("list", { isDefault: true })
    .description("imports that wait, are at work or failed")
    .option("--all", "finished ones too")
    .option("--json", "one object a line")
    .action(async (f: Flags) => list(f));
  jobs
    .command("retry <capture>")
    .description("do a failed or cancelled import again")
    .option("--shards <n>", "most shards", DEFAULT_SHARDS)
    .action(async (id: string, f: Flags) => {
      const { retry, withCluster } = await clients();
      const e = await withCluster(spread(), (c) => retry(c, id, positive(f.shards, "--shards"), DEFAULT_WINDOW_BYTES));
      process.stderr.write(`${e.name}: queued again\n`);
    });
  jobs
    .command("cancel <capture>")
    .description("stop an import; its records are removed")
    .action(async (id: string) => {
      const { cancel, withCluster } = await clients();
      const e = await withCluster(spread(), (c) => cancel(c, id));
      process.stderr.write(`${e.name}: cancelled\n`);
    });
  program
    .command("expire")
    .description("delete captures that were imported longer ago")
    .requiredOption("--older-than <age>", "e.g. 30d, 12h")
    .option("--dry-run", "only say which")
    .option("--data <dir>", "data folder")
    .action(async (f: { olderThan: string; dryRun?: boolean; data?: string }) => {
      const before = Date.now() - Number(durationNs(f.olderThan) / 1000000n);
      const place = await openPlace(f.data);
      try {
        for (const e of await place.catalog.list()) {
          if (Date.parse(e.added) >= before) continue;
          const held = heldBy(e);
          if (held) {
            process.stdout.write(`${e.id.slice(0, 12)}  ${e.added.slice(0, 19)}  ${e.name}: kept, ${held}\n`);
            continue;
          }
          if (!f.dryRun) await place.remove(e.id);
          process.stdout.write(`${e.id.slice(0, 12)}  ${e.added.slice(0, 19)}  ${e.name}${f.dryRun ? "" : ": deleted"}\n`);
        }
      } finally {
        await place.close();
      }
    });
}

/** Loaded when wanted: they take a tenth of a second. */
const clients = async () => ({ ...(await import("../jobs/submit.js")), ...(await import("./place-spread.js")) });

function spread(): Settings {
  const s = settings();
  if (!isDistributed(s))
    throw new ThreatflowError("USAGE", "there is a queue only with Redis and Elasticsearch", "set REDIS_URL and ELASTICSEARCH_URL");
  return s;
}

async function list(f: Flags): Promise<void> {
  const { progressOf, withCluster } = await clients();
  await withCluster(spread(), async (c) => {
    const entries = (await c.catalog.list()).filter((e) => f.all || e.status !== "done");
    const rows: { entry: CaptureEntry; done: number; total: number; records?: number; waiting?: string; rate?: number; eta?: number }[] =
      [];
    for (const entry of entries) {
      const p = ["done", "failed", "cancelled"].includes(entry.status) ? { done: 0, total: 0 } : await progressOf(c, entry);
      const seconds = (Date.now() - Date.parse(entry.queued ?? entry.added)) / 1000;
      const rate = p.done && seconds > 0 ? p.done / seconds : undefined;
      rows.push({ entry, ...p, rate, eta: rate ? (p.total - p.done) / rate : undefined });
    }
    if (f.json) {
      for (const { entry, ...p } of rows)
        process.stdout.write(
          `${JSON.stringify({ capture: entry.id, name: entry.name, bytes: entry.bytes, status: entry.status, error: entry.error, ...p })}\n`,
        );
      return;
    }
    if (rows.length === 0) {
      process.stderr.write("no import waits or is at work\n");
      return;
    }
    const cells = rows.map(({ entry: e, ...p }) => [
      e.id.slice(0, 12),
      e.status,
      p.total ? `${Math.floor((100 * p.done) / p.total)} %` : "",
      p.records === undefined ? "" : number(p.records),
      p.eta === undefined ? "" : `${Math.ceil(p.eta)} s`,
      size(e.bytes),
      e.name,
      p.waiting ?? e.error?.message ?? "",
    ]);
    process.stdout.write(`${table(["capture", "status", "progress", "records", "left", "bytes", "name", ""], cells)}\n`);
  });
}
