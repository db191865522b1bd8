/**
 * A large mixed capture without a download: the conversations of fixtures/pcaps/mixed, once for each of N clients with its own address,
 * interleaved, with bulk data, losses, reordering and fragments. `node scripts/generate-capture.ts OUT [CLIENTS] [BULK_SEGMENTS]`
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";

const [out, clients = "2200", bulk = "130"] = process.argv.slice(2);
const source = readFileSync(join(import.meta.dirname, "..", "fixtures", "pcaps", "mixed", "everything.pcap"));
const packets: Buffer[] = [];
for (let at = 24; at + 16 <= source.length; ) {
  const n = source.readUInt32LE(at + 8);
  packets.push(source.subarray(at + 16, at + 16 + n));
  at += 16 + n;
}
const fd = openSync(out, "w");
writeSync(fd, source.subarray(0, 24));
let time = 1_700_000_000_000_000n;
let buffer: Buffer[] = [];
let size = 0;
let count = 0;
function write(frame: Buffer): void {
  const head = Buffer.alloc(16);
  head.writeUInt32LE(Number(time / 1_000_000n), 0);
  head.writeUInt32LE(Number(time % 1_000_000n), 4);
  head.writeUInt32LE(frame.length, 8);
  head.writeUInt32LE(frame.length, 12);
  buffer.push(head, frame);
  size += 16 + frame.length;
  count++;
  time += 37n;
  if (size > 8 << 20) {
    writeSync(fd, Buffer.concat(buffer));
    buffer = [];
    size = 0;
  }
}
/** One's complement sum (RFC 1071). */
function sum(b: Buffer, from: number, to: number): number {
  let s = 0;
  for (let i = from; i < to; i += 2) s += (b[i] << 8) | (i + 1 < to ? b[i + 1] : 0);
  while (s >> 16) s = (s & 0xffff) + (s >> 16);
  return s;
}
function address(frame: Buffer, client: number): Buffer {
  if (frame.readUInt16BE(12) !== 0x0800) return frame;
  const f = Buffer.from(frame);
  for (const at of [26, 30]) if (f.readUInt32BE(at) === 0xc6336401) f.writeUInt32BE(0x0a000000 + client, at);
  f.writeUInt16BE(0, 24);
  f.writeUInt16BE(~sum(f, 14, 14 + (f[14] & 15) * 4) & 0xffff, 24);
  return f;
}
let random = 12345;
const next = (n: number): number => {
  random = (Math.imul(random, 1103515245) + 12345) >>> 0;
  return (random >>> 8) % n;
};
const body = Buffer.alloc(1448, "bulk data of a download ");
function segment(client: number, i: number): Buffer {
  const f = Buffer.alloc(54 + body.length);
  f.writeUInt16BE(0x0800, 12);
  f[14] = 0x45;
  f.writeUInt16BE(f.length - 14, 16);
  f[22] = 64;
  f[23] = 6;
  f.writeUInt32BE(0xc6336402, 26);
  f.writeUInt32BE(0x0a000000 + client, 30);
  f.writeUInt16BE(~sum(f, 14, 34) & 0xffff, 24);
  f.writeUInt16BE(20, 34);
  f.writeUInt16BE(50000, 36);
  f.writeUInt32BE((1000 + i * body.length) >>> 0, 38);
  f[46] = 0x50;
  f[47] = 0x10;
  f.writeUInt16BE(65535, 48);
  body.copy(f, 54);
  return f;
}
const GROUP = 20; // clients whose packets are interleaved
for (let base = 1; base <= Number(clients); base += GROUP) {
  for (let i = 0; i < Math.max(packets.length, Number(bulk)); i++)
    for (let c = base; c < base + GROUP && c <= Number(clients); c++) {
      if (i < packets.length && next(500) !== 0) write(address(packets[i], c)); // one in 500 is lost
      if (i < Number(bulk)) write(segment(c, i % 50 === 10 ? i + 1 : i % 50 === 11 ? i - 1 : i)); // one in 50 comes too early
    }
}
writeSync(fd, Buffer.concat(buffer));
closeSync(fd);
console.log(`${out}: ${count} packets`);
