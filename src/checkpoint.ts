/**
 * A shard's state at the end of a segment, in a file: a line that says what it is, the engine's blocks, the flows' blocks, and a checksum over
 * all. Another process goes on from it. A file that is cut, changed, or of another version is not used: the shard begins again.
 */
import { closeSync, fsyncSync, openSync, readSync, renameSync, rmSync } from "node:fs";
import { crc32 } from "node:zlib";
import type { Engine } from "./engine/engine.js";
import { writeAll } from "./file-bytes.js";
import type { Flows } from "./flows/flows.js";
import { VERSION } from "./records/tables.js";

/** Raised when the file's form changes. What state means may change with each version of ours: another version's is not read. */
const FORM = 4;
const HEAD_BYTES = 8;
/** No block is larger: what a damaged length would make us read. */
const MAX_BLOCK = 1 << 30;
const KIND = { engine: 1, flows: 2, end: 3 } as const;

export interface Cut {
  /** Rows of the packet index that were taken. */
  rows: number;
  /** The capture's clock at the last of them, ns. */
  clock: bigint;
}

/** Writes hidden, then renames: what has the name is whole. */
export function writeCheckpoint(path: string, cut: Cut, engine: Engine, flows: Flows): void {
  const hidden = `${path}.part`;
  const fd = openSync(hidden, "w");
  try {
    let sum = 0;
    const head = Buffer.alloc(HEAD_BYTES);
    const put = (kind: number, bytes: Uint8Array): void => {
      head.writeUInt32LE(bytes.length, 0);
      head.writeUInt32LE(kind, 4);
      sum = crc32(bytes, crc32(head, sum));
      writeAll(fd, head);
      writeAll(fd, bytes);
    };
    put(0, Buffer.from(`${label()} ${cut.rows} ${cut.clock}`));
    engine.save((block) => put(KIND.engine, block));
    for (const block of flows.save()) put(KIND.flows, block);
    const last = Buffer.alloc(4);
    last.writeUInt32LE(sum);
    put(KIND.end, last);
    fsyncSync(fd);
  } catch (error) {
    rmSync(hidden, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
  renameSync(hidden, path);
}

/** Fills a fresh engine and flows; undefined (and they are not to be used): this file is none that fits. */
export function readCheckpoint(path: string, engine: Engine, flows: Flows): Cut | undefined {
  if (!intact(path)) return undefined;
  const fd = openSync(path, "r");
  try {
    const text = block(fd)?.bytes.toString() ?? "";
    const [format, rows, clock] = [text.slice(0, label().length), ...text.slice(label().length + 1).split(" ")];
    if (format !== label()) return undefined;
    let next = block(fd);
    const more = (kind: number) => (): Buffer | undefined => {
      if (next?.kind !== kind) return undefined;
      const { bytes } = next;
      next = block(fd);
      return bytes;
    };
    if (!engine.restore(more(KIND.engine))) return undefined;
    try {
      flows.restore(each(more(KIND.flows)));
    } catch {
      return undefined; // state of a class that this version does not know, or of another shape
    }
    return { rows: Number(rows), clock: BigInt(clock) };
  } finally {
    closeSync(fd);
  }
}

const label = (): string => `threatflow-checkpoint ${FORM} ${VERSION} ${process.versions.v8}`;

function* each(more: () => Buffer | undefined): Generator<Buffer> {
  for (let b = more(); b; b = more()) yield b;
}

interface Block {
  kind: number;
  bytes: Buffer;
  head: Buffer;
}
/** Undefined: the file ends here. */
function block(fd: number): Block | undefined {
  const head = Buffer.alloc(HEAD_BYTES);
  if (readSync(fd, head) < HEAD_BYTES) return undefined;
  const size = head.readUInt32LE(0);
  if (size > MAX_BLOCK) return undefined;
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; ) {
    const n = readSync(fd, bytes, at, size - at, null);
    if (n === 0) return undefined;
    at += n;
  }
  return { kind: head.readUInt32LE(4), bytes, head };
}

function intact(path: string): boolean {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch {
    return false;
  }
  try {
    let sum = 0;
    for (let b = block(fd); b; b = block(fd)) {
      if (b.kind === KIND.end) return b.bytes.length === 4 && b.bytes.readUInt32LE() === sum;
      sum = crc32(b.bytes, crc32(b.head, sum));
    }
    return false;
  } finally {
    closeSync(fd);
  }
}
