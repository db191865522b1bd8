/** Entries of captures that are still recorded. */
import { hostname } from "node:os";
import { join } from "node:path";
import { alive } from "../alive.js";
import type { Catalog } from "../catalog/catalog.js";
import { recoverSegments } from "../ingest/live/manifest.js";

export const recordedHere = (): { host: string; pid: number } => ({ host: hostname(), pid: process.pid });

/** A process of this machine that recorded and is no more leaves whole segments, and an entry that says so; what it delivered stays. */
export async function settleBroken(dataDir: string, catalog: Catalog): Promise<void> {
  recoverSegments(join(dataDir, "captures"));
  for (const e of await catalog.list()) {
    if (e.live?.host !== hostname() || alive(e.live.pid)) continue;
    await catalog.update(e.id, (x) =>
      x.live?.pid === e.live?.pid
        ? {
            ...x,
            live: undefined,
            status: "failed",
            error: {
              code: "WORKER_CRASH",
              message: "the capture broke off",
              remedy: `its records up to then are here; \`threatflow analyze --join ${x.path}/*.pcap*\` reads all its segments`,
            },
          }
        : undefined,
    );
  }
}
