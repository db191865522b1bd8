/** Streams of gzip (all members) and zstd (all frames) unpacked; trailing bytes that are neither end the stream with a note. */
import { createGunzip, createZstdDecompress } from "node:zlib";
import type { Transform } from "node:stream";
import { ThreatflowError } from "../errors.js";
import { type Compression, compressionOf } from "./source.js";

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
      if (members === 0) throw new ThreatflowError("COMPRESSION", "the compressed data does not begin as it should", "check how it was copied");
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

/** One gzip member or zstd frame. Node's decompressors stop behind the first without a word: what they did not take is the remainder. */
class Member {
  private readonly kind: Compression;
  private left: Buffer[] = [];
  broken = false;
  constructor(kind: Compression) {
    this.kind = kind;
  }

  async *run(input: AsyncGenerator<Buffer>, members: number, notes: string[]): AsyncGenerator<Buffer> {
    const z: Transform & { bytesWritten?: number } = this.kind === "gzip" ? createGunzip({ maxOutputLength: 2 ** 31 }) : createZstdDecompress();
    let fed = 0;
    const chunks: Buffer[] = [];
    const out: Buffer[] = [];
    let ended = false;
    let failure: Error | undefined;
    let wake: () => void = () => undefined;
    const poke = (): void => wake();
    z.on("data", (b: Buffer) => {
      out.push(b);
      poke();
    });
    z.on("end", () => {
      ended = true;
      poke();
    });
    z.on("error", (e: Error) => {
      failure = e;
      poke();
    });
    const settle = (): Promise<void> =>
      new Promise((resolve) => {
        wake = resolve;
      });
    for (;;) {
      const { value, done } = await input.next();
      if (done || !value) {
        if (!ended && !failure) z.end();
        break;
      }
      fed += value.length;
      chunks.push(value);
      if (chunks.length > 4) chunks.shift();
      let written = false;
      z.write(value, () => {
        written = true;
        poke();
      });
      while (!written && !ended && !failure) await settle();
      while (out.length) yield out.shift() as Buffer;
      if (ended || failure) break;
    }
    while (!ended && !failure) await settle();
    while (out.length) yield out.shift() as Buffer;
    if (failure) {
      const cut = /unexpected end/i.test(failure.message);
      if (members === 0 && fed === 0) throw new ThreatflowError("COMPRESSION", "the compressed data is empty", "check how it was made");
      notes.push(cut ? "the compressed data ends too early: what was unpacked was taken" : `the compressed data is damaged (${failure.message}): what was unpacked was taken`);
      this.broken = true;
      z.destroy();
      return;
    }
    const unused = fed - (z.bytesWritten ?? fed);
    const all = Buffer.concat(chunks);
    this.left = unused > 0 ? [all.subarray(all.length - Math.min(unused, all.length))] : [];
    z.destroy();
  }

  async *remainder(input: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
    yield* this.left;
    for (;;) {
      const { value, done } = await input.next();
      if (done || !value) return;
      yield value;
    }
  }
}
