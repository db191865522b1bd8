/** The original bytes: a file stays where it is (its path, size and SHA-256 are kept), what has no place of its own is stored. */
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { systemError } from "../errors.js";
import type { Source } from "../ingest/source.js";

/** Returns the path under which extract finds the bytes. Stdin is stored unpacked, as it was spooled. */
export function keepEvidence(source: Source, id: string, dataDir: string, copy: boolean): string {
  if (!source.streamed && !copy) return resolve(source.name);
  const dir = join(dataDir, "captures");
  const target = join(dir, id);
  if (existsSync(target)) return target;
  const hidden = join(dir, `.${id}.${process.pid}`);
  try {
    mkdirSync(dir, { recursive: true });
    copyFileSync(source.streamed ? source.path : source.name, hidden);
    renameSync(hidden, target);
  } catch (error) {
    rmSync(hidden, { force: true });
    throw systemError(error, dir);
  }
  return target;
}
