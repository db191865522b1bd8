/**
 * Where captures lie when work is spread over machines: content-addressed, the original bytes unchanged, what was derived from them beside
 * them, and an append-only log of who added what. A folder that all machines see; src/ingest/s3-store.ts is the same in a bucket.
 */
import { createHash } from "node:crypto";
import { appendFileSync, copyFileSync, createReadStream, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { hostname, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { systemError, ThreatflowError } from "../errors.js";

/** What lies beside a capture: its bytes as given, unpacked where they were compressed, the packet index, what the survey found, results of shards. */
export type StorePart = "capture" | "unpacked" | "index" | "survey" | `shard-${string}`;
export interface Stored {
  /** SHA-256 of the bytes, lower-case hex. */
  id: string;
  bytes: number;
  /** Were not there yet. */
  fresh: boolean;
}
export interface CaptureStore {
  /** For people. */
  readonly where: string;
  /** Takes bytes as they are (a path, or `-` with a stream), hashing on the way. Throws as reading does. */
  add(name: string, input: AsyncIterable<Buffer> | undefined, onBytes?: (n: number) => void): Promise<Stored>;
  /** Moves a local file into the store. */
  keep(id: string, part: StorePart, path: string): Promise<void>;
  /** A local file with these bytes. Throws NO_EVIDENCE. */
  fetch(id: string, part: StorePart): Promise<string>;
  has(id: string, part: StorePart): Promise<boolean>;
  drop(id: string, part: StorePart): Promise<void>;
  /** The capture and all beside it. */
  remove(id: string): Promise<void>;
  /** A folder of this machine, on the same disk where there is one, for files on their way in. */
  readonly scratch: string;
}

/** One line of the chain of custody. */
export interface Custody {
  at: string;
  what: "added" | "added again" | "deleted";
  id: string;
  bytes?: number;
  name?: string;
  by: string;
}
export const custody = (what: Custody["what"], id: string, more: { bytes?: number; name?: string } = {}): Custody => ({
  at: new Date().toISOString(),
  what,
  id,
  ...more,
  by: `${whoami()}@${hostname()}`,
});
export function whoami(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? "unknown"); // a user without a name, as in containers
  }
}

export function folderStore(dir: string): CaptureStore {
  const place = (id: string, part: StorePart): string => join(dir, id.slice(0, 2), id, part);
  const scratch = join(dir, ".incoming");
  const log = (c: Custody): void => appendFileSync(join(dir, "custody.ndjson"), `${JSON.stringify(c)}\n`, { mode: 0o640 });
  try {
    mkdirSync(scratch, { recursive: true });
  } catch (error) {
    throw systemError(error, dir);
  }
  return {
    where: dir,
    scratch,
    async add(name, input, onBytes) {
      const hidden = join(scratch, `${process.pid}-${Math.floor(performance.now() * 1000)}-${Math.random().toString(36).slice(2)}`);
      try {
        const { id, bytes } = await receive(name, input ?? bytesOf(name), hidden, onBytes);
        const target = place(id, "capture");
        const fresh = !existsSync(target);
        if (fresh) {
          mkdirSync(dirname(target), { recursive: true });
          renameSync(hidden, target);
        }
        log(custody(fresh ? "added" : "added again", id, { bytes, name }));
        return { id, bytes, fresh };
      } catch (error) {
        throw systemError(error, (error as { path?: string }).path ?? name);
      } finally {
        rmSync(hidden, { force: true });
      }
    },
    async keep(id, part, path) {
      const target = place(id, part);
      try {
        mkdirSync(dirname(target), { recursive: true });
        moveFile(path, target);
      } catch (error) {
        throw systemError(error, target);
      }
    },
    async fetch(id, part) {
      const path = place(id, part);
      if (!existsSync(path))
        throw new ThreatflowError(
          "NO_EVIDENCE",
          `the capture store ${dir} has no ${part} of ${id.slice(0, 12)}…`,
          "do submitters and workers name the same store?",
        );
      return path;
    },
    has: async (id, part) => existsSync(place(id, part)),
    drop: async (id, part) => rmSync(place(id, part), { force: true }),
    async remove(id) {
      if (existsSync(dirname(place(id, "capture")))) log(custody("deleted", id));
      rmSync(dirname(place(id, "capture")), { recursive: true, force: true });
    },
  };
}

/** A file's bytes, opened when they are first asked for: a stream that is opened sooner can fail where nobody listens yet, and ends the process. */
export async function* bytesOf(path: string): AsyncGenerator<Buffer> {
  yield* createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;
}

/** Writes what comes to a new file that is on disk when this returns; counts and hashes. */
export async function receive(
  name: string,
  input: AsyncIterable<Buffer>,
  path: string,
  onBytes?: (n: number) => void,
): Promise<{ id: string; bytes: number }> {
  const hash = createHash("sha256");
  let bytes = 0;
  const file = await open(path, "wx", 0o640);
  try {
    for await (const chunk of input) {
      hash.update(chunk);
      for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
      bytes += chunk.length;
      onBytes?.(bytes);
    }
    await file.datasync();
  } finally {
    await file.close();
  }
  if (bytes === 0)
    throw new ThreatflowError("EMPTY_FILE", `${name === "-" ? "standard input" : name} is empty`, "check where it comes from");
  return { id: hash.digest("hex"), bytes };
}

/** Renames, or copies to a hidden name first where the two places are different disks. */
function moveFile(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as { code?: string }).code !== "EXDEV") throw error;
    const hidden = join(dirname(to), `.${process.pid}.part`);
    copyFileSync(from, hidden);
    renameSync(hidden, to);
    rmSync(from, { force: true });
  }
}
