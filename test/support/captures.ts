/** Captures taken apart into packets, and written in any form of file. */
import { readFileSync } from "node:fs";

export interface Packet {
  seconds: number;
  nanos: number;
  length: number;
  bytes: Buffer;
}
/** Of a classic little-endian pcap with microseconds: packets of IP. */
export function packetsOf(file: string): Packet[] {
  const b = readFileSync(file);
  const out: Packet[] = [];
  for (let at = 24; at < b.length; at += 16 + b.readUInt32LE(at + 8)) {
    const bytes = b.subarray(at + 16, at + 16 + b.readUInt32LE(at + 8));
    const packet = { seconds: b.readUInt32LE(at), nanos: b.readUInt32LE(at + 4) * 1000, length: b.readUInt32LE(at + 12), bytes };
    if ([IPV4, IPV6].includes(bytes.readUInt16BE(12))) out.push(packet);
  }
  return out;
}
export const IPV4 = 0x0800;
export const IPV6 = 0x86dd;

type Numbers = (...values: [bytes: 2 | 4, value: number][]) => Buffer;
export const numbers =
  (big: boolean): Numbers =>
  (...values) =>
    Buffer.concat(
      values.map(([bytes, v]) => {
        const b = Buffer.alloc(bytes);
        if (big) b.writeUIntBE(v, 0, bytes);
        else b.writeUIntLE(v, 0, bytes);
        return b;
      }),
    );
export function pcap(packets: readonly Packet[], link: number, big: boolean, nanos: boolean): Buffer {
  const n = numbers(big);
  const head = n([4, nanos ? 0xa1b23c4d : 0xa1b2c3d4], [2, 2], [2, 4], [4, 0], [4, 0], [4, 65535], [4, link]);
  const records = packets.flatMap((p) => [
    n([4, p.seconds], [4, nanos ? p.nanos : p.nanos / 1000], [4, p.bytes.length], [4, p.length]),
    p.bytes,
  ]);
  return Buffer.concat([head, ...records]);
}
/** `resolution`: if_tsresol; the packets' times are whole microseconds. */
export function pcapng(packets: readonly Packet[], link: number, big: boolean, resolution: number): Buffer {
  const n = numbers(big);
  const block = (type: number, body: Buffer): Buffer =>
    Buffer.concat([n([4, type], [4, body.length + 12]), body, n([4, body.length + 12])]);
  const unit = 10n ** BigInt(9 - resolution);
  return Buffer.concat([
    block(0x0a0d0d0a, Buffer.concat([n([4, 0x1a2b3c4d], [2, 1], [2, 0]), Buffer.alloc(8, 0xff)])),
    block(1, Buffer.concat([n([2, link], [2, 0], [4, 65535], [2, 9], [2, 1]), Buffer.of(resolution, 0, 0, 0), n([2, 0], [2, 0])])),
    ...packets.map((p) => {
      const time = (BigInt(p.seconds) * 1000000000n + BigInt(p.nanos)) / unit;
      const head = n([4, 0], [4, Number(time >> 32n)], [4, Number(time & 0xffffffffn)], [4, p.bytes.length], [4, p.length]);
      return block(6, Buffer.concat([head, p.bytes, Buffer.alloc(-p.bytes.length & 3)]));
    }),
  ]);
}
