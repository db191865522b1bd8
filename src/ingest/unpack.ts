/** Streams of gzip (all members) and zstd (all frames) unpacked; trailing bytes that are neither end the stream with a note. */

import type { Transform } from "node:stream";
import { crc32, createInflateRaw, createZstdDecompress } from "node:zlib";
import { ThreatflowError } from "../errors.js";
import { type Compression, compressionOf } from "./compression.js";

/** Yields the unpacked bytes. `notes` gets the kind first, then what was odd. */
export async function* unpack(input: AsyncGenerator<Buffer>, known: Compression | undefined, notes: string[]): AsyncGenerator<Buffer> {
  const first = await peek(input);
  const kind = known ?? compressionOf(first.head);
  notes.push(kind ?? "plain");
  if (!kind) {
    yield* first.all;
    return;
  }
  let rest: AsyncGenerator<Buffer> = first.all;
  let members = 0;
  for (;;) {
    const next = await peek(rest);
    if (next.head.length === 0) return;
    if (compressionOf(next.head) !== kind) {
      if (members === 0)
        throw new ThreatflowError("COMPRESSION", "the compressed data does not begin as it should", "check how it was copied");
      notes.push("bytes after the end of the compressed data were left out");
      for await (const _ of next.all) void _;
      return;
    }
    const member = new Member(kind);
    yield* member.run(next.all, members, notes);
    if (member.broken) return;
    members++;
    rest = member.remainder(next.all);
  }
}

interface Peeked {
  head: Buffer;
  all: AsyncGenerator<Buffer>;
}
/** Looks at the first four bytes without losing them. */
async function peek(input: AsyncGenerator<Buffer>): Promise<Peeked> {
  const held: Buffer[] = [];
  let size = 0;
  while (size < 4) {
    const { value, done } = await input.next();
    if (done || !value) break;
    held.push(value);
    size += value.length;
  }
  const all = async function* (): AsyncGenerator<Buffer> {
    yield* held;
    for (;;) {
      const { value, done } = await input.next(); // not `for await`: it would close the input for the next member
      if (done || !value) return;
      yield value;
    }
  };
  return { head: Buffer.concat(held).subarray(0, 4), all: all() };
}

/** Longest gzip header that is looked for: file name and comment included (RFC 1952 §2.3). */
const MAX_GZIP_HEADER = 64 * 1024;

/** Where the deflate data of a gzip member begins, or -1 when more bytes are needed. */
function gzipHeader(b: Buffer): number {
  if (b.length < 10) return -1;
  const flags = b[3];
  let at = 10;
  if (flags & 4) {
    if (b.length < at + 2) return -1;
    at += 2 + b.readUInt16LE(at);
  }
  for (const bit of [8, 16]) {
    if (!(flags & bit)) continue;
    const end = b.indexOf(0, at);
    if (end < 0) return -1;
    at = end + 1;
  }
  if (flags & 2) at += 2;
  return at <= b.length ? at : -1;
}

/**
 * One gzip member or zstd frame. Node's decompressors stop behind the first zstd frame without a word, and lose the last block of gzip
 * data that junk follows: so each member is unpacked by itself, and what it did not take is the remainder.
 */
class Member {
  private readonly kind: Compression;
  private left: Buffer[] = [];
  broken = false;
  constructor(kind: Compression) {
    this.kind = kind;
  }

  async *run(input: AsyncGenerator<Buffer>, members: number, notes: string[]): AsyncGenerator<Buffer> {
    let first: Buffer | undefined;
    if (this.kind === "gzip") {
      first = await this.skipHeader(input);
      if (!first) {
        if (members === 0)
          throw new ThreatflowError(
            "COMPRESSION",
            "the compressed data ends inside its header: it unpacks to nothing",
            "check how it was copied",
          );
        notes.push("the compressed data ends too early: what was unpacked was taken");
        this.broken = true;
        return;
      }
    }
    const z: Transform & { bytesWritten?: number } = this.kind === "gzip" ? createInflateRaw() : createZstdDecompress();
    let fed = 0;
    const recent: Buffer[] = [];
    const out: Buffer[] = [];
    let ended = false;
    let failure: Error | undefined;
    let wake: () => void = () => undefined;
    let crc = 0;
    z.on("data", (b: Buffer) => {
      crc = crc32(b, crc);
      out.push(b);
      wake();
    });
    z.on("end", () => {
      ended = true;
      wake();
    });
    z.on("error", (e: Error) => {
      failure = e;
      wake();
    });
    const settle = (): Promise<void> =>
      new Promise((resolve) => {
        wake = resolve;
      });
    for (;;) {
      let value: Buffer | undefined = first;
      first = undefined;
      if (!value) value = (await input.next()).value as Buffer | undefined;
      if (!value) {
        if (!ended && !failure) z.end();
        break;
      }
      if (value.length === 0) continue;
      fed += value.length;
      recent.push(value);
      if (recent.length > 4) recent.shift();
      let written = false;
      z.write(value, () => {
        written = true;
        wake();
      });
      while (!written && !ended && !failure) await settle();
      while (out.length) yield out.shift() as Buffer;
      if (ended || failure) break;
    }
    while (!ended && !failure) await settle();
    while (out.length) yield out.shift() as Buffer;
    if (failure) {
      const cut = /unexpected end/i.test(failure.message);
      notes.push(
        cut
          ? "the compressed data ends too early: what was unpacked was taken"
          : `the compressed data is damaged (${failure.message}): what was unpacked was taken`,
      );
      this.broken = true;
      z.destroy();
      return;
    }
    const unused = fed - (z.bytesWritten ?? fed);
    const all = Buffer.concat(recent);
    this.left = unused > 0 ? [all.subarray(all.length - Math.min(unused, all.length))] : [];
    z.destroy();
    if (this.kind === "gzip") await this.trailer(input, crc, notes);
  }

  private async skipHeader(input: AsyncGenerator<Buffer>): Promise<Buffer | undefined> {
    let head: Buffer = Buffer.alloc(0);
    for (;;) {
      const at = gzipHeader(head);
      if (at >= 0) return head.subarray(at);
      if (head.length > MAX_GZIP_HEADER) return undefined;
      const { value, done } = await input.next();
      if (done || !value) return undefined;
      head = Buffer.concat([head, value]);
    }
  }

  /** CRC-32 and length (RFC 1952 §2.3.1). */
  private async trailer(input: AsyncGenerator<Buffer>, crc: number, notes: string[]): Promise<void> {
    let rest = Buffer.concat(this.left);
    while (rest.length < 8) {
      const { value, done } = await input.next();
      if (done || !value) break;
      rest = Buffer.concat([rest, value]);
    }
    if (rest.length < 8) notes.push("the compressed data ends too early: what was unpacked was taken");
    else if (rest.readUInt32LE(0) !== crc >>> 0) notes.push("the compressed data fails its checksum: what was unpacked was taken");
    this.left = [rest.subarray(Math.min(8, rest.length))];
  }

  async *remainder(input: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
    for (const b of this.left) if (b.length) yield b;
    for (;;) {
      const { value, done } = await input.next();
      if (done || !value) return;
      yield value;
    }
  }
}
