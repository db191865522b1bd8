/** Entries of captures that are still recorded. */
import { hostname } from "node:os";
import { alive } from "../alive.js";
import type { Catalog } from "./catalog.js";

export const recordedHere = (): { host: string; pid: number } => ({ host: hostname(), pid: process.pid });

/** A process of this machine that recorded and is no more leaves an entry that says so; what it delivered stays. */
export async function settleBroken(catalog: Catalog): Promise<void> {
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
              remedy: `its records up to then are here, its segments in ${x.path}: \`threatflow analyze --join\` reads them`,
            },
          }
        : undefined,
    );
  }
}
