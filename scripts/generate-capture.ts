/**
 * A large mixed capture without a download: the conversations of fixtures/pcaps/mixed (real servers and clients), once for each of N clients
 * with its own address, interleaved, each beside an HTTP download with handshake and acknowledgements; packets lost, swapped and fragmented.
 * `node scripts/generate-capture.ts OUT [CLIENTS] [DOWNLOAD_SEGMENTS]`, OUT `-`: standard output. The same arguments give the same bytes.
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";

const [out, clients = "2000", segments = "190"] = process.argv.slice(2);
const source = readFileSync(join(import.meta.dirname, "..", "fixtures", "pcaps", "mixed", "everything.pcap"));
const story: Buffer[] = [];
for (let at = 24; at + 16 <= source.length; ) {
  const n = source.readUInt32LE(at + 8);
  story.push(source.subarray(at + 16, at + 16 + n));
  at += 16 + n;
}
const fd = out === "-" ? 1 : openSync(out, "w");
writeSync(fd, source.subarray(0, 24));
let time = 1_700_000_000_000_000n;
let pending: Buffer[] = [];
let size = 0;
let count = 0;
function write(frame: Buffer): void {
  const head = Buffer.alloc(16);
  head.writeUInt32LE(Number(time / 1_000_000n), 0);
  head.writeUInt32LE(Number(time % 1_000_000n), 4);
  head.writeUInt32LE(frame.length, 8);
  head.writeUInt32LE(frame.length, 12);
  pending.push(head, frame);
  size += 16 + frame.length;
  count++;
  time += 37n;
  if (size > 8 << 20) flush();
}
function flush(): void {
  const all = Buffer.concat(pending);
  for (let at = 0; at < all.length; ) at += writeSync(fd, all, at);
  pending = [];
  size = 0;
}
/** One's complement sum (RFC 1071) of bytes [from, to), going on from `s`. */
function sum(b: Buffer, from: number, to: number, s = 0): number {
  for (let i = from; i < to; i += 2) s += (b[i] << 8) | (i + 1 < to ? b[i + 1] : 0);
  while (s >> 16) s = (s & 0xffff) + (s >> 16);
  return s;
}
/** Sets the IPv4 header checksum and, in whole datagrams, that of TCP, UDP or ICMP: on the wire they are right. */
function checksums(f: Buffer): Buffer {
  const ip = 14;
  const l4 = ip + (f[ip] & 15) * 4;
  const end = ip + f.readUInt16BE(ip + 2);
  f.writeUInt16BE(0, ip + 10);
  f.writeUInt16BE(~sum(f, ip, l4) & 0xffff, ip + 10);
  const place = { 1: 2, 6: 16, 17: 6 }[f[ip + 9]];
  if (place === undefined || f.readUInt16BE(ip + 6) & 0x3fff) return f;
  f.writeUInt16BE(0, l4 + place);
  const pseudo = f[ip + 9] === 1 ? 0 : sum(f, ip + 12, ip + 20) + f[ip + 9] + (end - l4);
  f.writeUInt16BE(~sum(f, l4, end, pseudo) & 0xffff || 0xffff, l4 + place);
  return f;
}
/** The frame with the fixture's client replaced by another. */
function address(frame: Buffer, client: number): Buffer {
  if (frame.readUInt16BE(12) !== 0x0800) return frame;
  const f = Buffer.from(frame);
  for (const at of [26, 30]) if (f.readUInt32BE(at) === 0xc6336401) f.writeUInt32BE(0x0a000000 + client, at);
  return checksums(f);
}
let random = 12345;
const next = (n: number): number => {
  random = (Math.imul(random, 1103515245) + 12345) >>> 0;
  return (random >>> 8) % n;
};

const SYN = 2;
const PSH = 8;
const ACK = 16;
const SERVER = 0xc6336402;
const PIECE = 1448;
function tcp(client: number, fromClient: boolean, seq: number, ack: number, flags: number, payload: Buffer): Buffer {
  const f = Buffer.alloc(54 + payload.length);
  f.writeUInt16BE(0x0800, 12);
  f[14] = 0x45;
  f.writeUInt16BE(f.length - 14, 16);
  f[22] = 64;
  f[23] = 6;
  f.writeUInt32BE(fromClient ? 0x0a000000 + client : SERVER, 26);
  f.writeUInt32BE(fromClient ? SERVER : 0x0a000000 + client, 30);
  f.writeUInt16BE(fromClient ? 50000 : 80, 34);
  f.writeUInt16BE(fromClient ? 80 : 50000, 36);
  f.writeUInt32BE(seq >>> 0, 38);
  f.writeUInt32BE(ack >>> 0, 42);
  f[46] = 0x50;
  f[47] = flags;
  f.writeUInt16BE(65535, 48);
  payload.copy(f, 54);
  return checksums(f);
}
const NONE = Buffer.alloc(0);
/** A download: handshake, request, response in pieces, an acknowledgement for every second one. */
function* download(client: number): Generator<Buffer> {
  const total = Number(segments) * PIECE;
  const request = Buffer.from(`GET /files/${client}.bin HTTP/1.1\r\nHost: files.example.test\r\nUser-Agent: generator/1\r\n\r\n`);
  const head = Buffer.from(
    `HTTP/1.1 200 OK\r\nServer: generator\r\nContent-Type: application/octet-stream\r\nContent-Length: ${total}\r\n\r\n`,
  );
  yield tcp(client, true, 1000, 0, SYN, NONE);
  yield tcp(client, false, 5000, 1001, SYN | ACK, NONE);
  yield tcp(client, true, 1001, 5001, ACK, NONE);
  yield tcp(client, true, 1001, 5001, PSH | ACK, request);
  const upto = 1001 + request.length;
  yield tcp(client, false, 5001, upto, PSH | ACK, head);
  const body = Buffer.alloc(PIECE, "bulk data of a download ");
  for (let i = 0; i < Number(segments); i++) {
    const swapped = i % 50 === 10 ? i + 1 : i % 50 === 11 ? i - 1 : i; // one in 50 comes too early
    yield tcp(client, false, 5001 + head.length + swapped * PIECE, upto, ACK, body);
    if (i % 50 > 11 && i % 2) yield tcp(client, true, upto, 5001 + head.length + (i + 1) * PIECE, ACK, NONE);
  }
}

const GROUP = 20; // clients whose packets are interleaved
for (let base = 1; base <= Number(clients); base += GROUP) {
  const all = Array.from({ length: Math.min(GROUP, Number(clients) - base + 1) }, (_, i) => base + i);
  const downloads = all.map((c) => download(c));
  for (let i = 0, more = true; more || i < story.length; i++) {
    more = false;
    all.forEach((c, k) => {
      if (i < story.length && next(500) !== 0) write(address(story[i], c)); // one in 500 is lost
      const d = downloads[k].next();
      if (!d.done) {
        write(d.value);
        more = true;
      }
    });
  }
}
flush();
closeSync(fd);
console.log(`${out}: ${count} packets`);
