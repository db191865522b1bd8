/** The records of one capture out of a store, as `analyze --ndjson` writes them. */
import { closeSync, mkdirSync, openSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { systemError } from "../errors.js";
import { writeAll } from "../file-bytes.js";
import { DATASETS } from "../records/fields.js";
import type { Search } from "../search/search.js";

const FLUSH_CHARS = 1 << 20;

export async function exportRecords(search: Search, captureId: string, dir: string): Promise<void> {
  for (const dataset of DATASETS) {
    const target = join(dir, `${dataset}.ndjson`);
    const hidden = join(dir, `.${dataset}.ndjson.${process.pid}.part`);
    let fd = -1;
    try {
      mkdirSync(dir, { recursive: true });
      let text = "";
      for await (const line of search.records({ query: "*", datasets: [dataset], captures: [captureId], limit: Infinity })) {
        text += `${line}\n`;
        if (text.length < FLUSH_CHARS) continue;
        if (fd < 0) fd = openSync(hidden, "w");
        writeAll(fd, Buffer.from(text));
        text = "";
      }
      if (text && fd < 0) fd = openSync(hidden, "w");
      if (fd < 0) rmSync(target, { force: true });
      else {
        if (text) writeAll(fd, Buffer.from(text));
        closeSync(fd);
        fd = -1;
        renameSync(hidden, target);
      }
    } catch (error) {
      if (fd >= 0) closeSync(fd);
      rmSync(hidden, { force: true });
      throw systemError(error, target);
    }
  }
}
