/** Where bytes come from: a capture file that can be read at any offset; what cannot be (stdin, .gz, .zst) is unpacked into one first. */

import { createHash } from "node:crypto";
import { closeSync, createReadStream, fstatSync, openSync, readSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { systemError, ThreatflowError } from "../errors.js";
import { writeAll } from "../file-bytes.js";
import { type Compression, compressionOf } from "./compression.js";
import { isRolling, joinSegments, type Missing, type Span } from "./live/join.js";
import { unpack } from "./unpack.js";

export interface Source {
  /** As the user named it. */
  name: string;
  /** A seekable file that holds the capture unpacked. */
  path: string;
  /** Bytes of that file, and of the capture as given. */
  size: number;
  givenBytes: number;
  compression: Compression | undefined;
  /** SHA-256 of the bytes as given, where it was computed on the way; else the survey computes it. */
  sha256: string | undefined;
  notes: string[];
  /** Of a rolling capture not all may be wanted, and some may be deleted. */
  missing: Missing;
  /** The bytes have no file of their own: they came as a stream. */
  streamed: boolean;
  dispose(): void;
}

const NOTHING_MISSING: Missing = { before: 0, deleted: 0 };

export interface OpenOptions {
  /** Folder for what must be unpacked or spooled. */
  spoolDir: string;
  /** Most bytes that it may take. */
  quota: number;
  /** Of a rolling capture only segments with packets of that time. */
  part?: Span;
  stdin?: Readable;
}

export async function openSource(name: string, options: OpenOptions): Promise<Source> {
  if (name === "-") return spool("-", options.stdin ?? process.stdin, undefined, options);
  let size: number;
  let head: Buffer;
  try {
    const stat = statSync(name);
    if (stat.isDirectory() && isRolling(name)) return joined(name, options);
    if (stat.isDirectory())
      throw new ThreatflowError("IS_A_DIRECTORY", `${name} is a directory`, "name a capture file, or let analyze walk the folder");
    if (!stat.isFile()) return await spool(name, createReadStream(name), undefined, options);
    size = stat.size;
    head = readHead(name);
  } catch (error) {
    throw systemError(error, name);
  }
  const compression = compressionOf(head);
  if (compression) return spool(name, createReadStream(name), compression, options);
  if (size === 0) throw new ThreatflowError("EMPTY_FILE", `${name} is empty`, "check how it was copied or captured");
  return {
    name,
    path: name,
    size,
    givenBytes: size,
    compression: undefined,
    sha256: undefined,
    notes: [],
    missing: NOTHING_MISSING,
    streamed: false,
    dispose: () => undefined,
  };
}

/** The segments of a rolling capture as one: the id is the capture's, not that of these bytes (SEMANTICS 26). */
async function joined(dir: string, options: OpenOptions): Promise<Source> {
  const path = spoolPath(options);
  try {
    const { size, id, notes, missing } = await joinSegments(dir, path, options.quota, options.part);
    return {
      name: dir,
      path,
      size,
      givenBytes: size,
      compression: undefined,
      sha256: id,
      notes,
      missing,
      streamed: false,
      dispose: () => rmSync(path, { force: true }),
    };
  } catch (error) {
    rmSync(path, { force: true });
    throw systemError(error, dir);
  }
}
const spoolPath = (options: OpenOptions): string =>
  join(options.spoolDir, `.spool-${process.pid}-${Date.now().toString(36)}-${Math.floor(performance.now() * 1000)}`);

export function readHead(path: string, bytes = 512): Buffer {
  const fd = openSync(path, "r");
  try {
    const head = Buffer.alloc(bytes);
    return head.subarray(0, readSync(fd, head, 0, bytes, 0));
  } finally {
    closeSync(fd);
  }
}

/** Writes the stream, unpacked, into one file; counts and hashes the bytes as given; stops at the quota. */
async function spool(name: string, input: Readable, known: Compression | undefined, options: OpenOptions): Promise<Source> {
  const path = spoolPath(options);
  const hash = createHash("sha256");
  let given = 0;
  let size = 0;
  const notes: string[] = [];
  let fd: number;
  try {
    fd = openSync(path, "wx", 0o600);
  } catch (error) {
    throw systemError(error, options.spoolDir);
  }
  const dispose = (): void => rmSync(path, { force: true });
  try {
    const counted = async function* (): AsyncGenerator<Buffer> {
      for await (const chunk of input as AsyncIterable<Buffer>) {
        hash.update(chunk);
        given += chunk.length;
        yield chunk;
      }
    };
    for await (const chunk of unpack(counted(), known, notes)) {
      size += chunk.length;
      if (size > options.quota)
        throw new ThreatflowError(
          "QUOTA",
          `${name}: unpacks to more than ${options.quota} bytes`,
          "raise --spool-quota (a server: THREATFLOW_UNPACK_QUOTA) if it is meant to be that large",
        );
      writeAll(fd, chunk);
    }
    if (given === 0)
      throw new ThreatflowError("EMPTY_FILE", `${name === "-" ? "standard input" : name} is empty`, "check where it comes from");
    if (fstatSync(fd).size === 0) throw new ThreatflowError("EMPTY_FILE", `${name} unpacks to nothing`, "check how it was made");
  } catch (error) {
    closeSync(fd);
    dispose();
    throw systemError(error, name);
  }
  closeSync(fd);
  const compression = notes.shift() as Compression | "plain" | undefined;
  return {
    name,
    path,
    size,
    givenBytes: given,
    compression: compression === "gzip" || compression === "zstd" ? compression : undefined,
    sha256: hash.digest("hex"),
    notes,
    missing: NOTHING_MISSING,
    streamed: name === "-",
    dispose,
  };
}

const LOOKS: readonly [string, string][] = [
  ["ffd8ff", "a JPEG image"],
  ["89504e47", "a PNG image"],
  ["47494638", "a GIF image"],
  ["25504446", "a PDF document"],
  ["504b0304", "a ZIP archive"],
  ["7f454c46", "an ELF program"],
  ["4d5a", "a Windows program"],
  ["fd377a585a", "an xz file: unpack it first"],
  ["425a68", "a bzip2 file: unpack it first"],
  ["04224d18", "an lz4 file: unpack it first"],
  ["736e6f6f70", "a snoop capture: convert it with `editcap -F pcap`"],
  ["58435000", "a NetXRay capture: convert it with `editcap -F pcap`"],
  ["54525343", "a TRS capture"],
  ["474d4255", "a Microsoft Network Monitor capture: convert it with `editcap -F pcap`"],
  ["52545353", "a Microsoft Network Monitor capture: convert it with `editcap -F pcap`"],
  ["a1e2cb12", "a Linux kernel pcap variant that is not supported"],
];

/** What a file that is no capture looks like. */
export function looksLike(head: Buffer): string {
  const hex = head.subarray(0, 8).toString("hex");
  for (const [magic, what] of LOOKS) if (hex.startsWith(magic)) return what;
  if (head.subarray(257, 262).toString("latin1") === "ustar") return "a tar archive";
  const text = head.toString("latin1");
  if (/^\s*[{[]/.test(text)) return "a JSON text";
  if (/^\s*<(\?xml|!doctype|html)/i.test(text)) return "an HTML or XML text";
  if (head.length > 0 && /^[\t\n\r\x20-\x7e]*$/.test(text)) return "a text file";
  return `data that begins with ${head.subarray(0, 4).toString("hex")}`;
}
