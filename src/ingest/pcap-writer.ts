/** Writes packets out: classic pcap (nanosecond magic where a time is finer than µs), with several link types pcapng. */
import { closeSync, openSync, renameSync, rmSync } from "node:fs";
import { systemError } from "../errors.js";
import { writeAll } from "../file-bytes.js";

export interface OutPacket {
  /** ns since 1970 */
  time: bigint;
  length: number;
  linktype: number;
  bytes: Uint8Array;
}
const SNAPLEN = 262144;

/** `finer`: some time is no multiple of 1 µs. The file is written hidden and renamed when whole. */
export function writeCapture(path: string, linktypes: readonly number[], finer: boolean, packets: Iterable<OutPacket>): number {
  const hidden = `${path}.part-${process.pid}`;
  let fd = -1;
  let count = 0;
  try {
    fd = openSync(path === "-" ? "/dev/stdout" : hidden, "w", 0o644);
    const out = (b: Buffer): void => writeAll(fd, b);
    const ng = linktypes.length > 1;
    out(ng ? sections(linktypes) : header(linktypes[0] ?? 1, finer));
    for (const p of packets) {
      out(ng ? enhanced(p, linktypes.indexOf(p.linktype)) : record(p, finer));
      count++;
    }
    closeSync(fd);
    fd = -1;
    if (path !== "-") renameSync(hidden, path);
  } catch (error) {
    if (fd >= 0) closeSync(fd);
    if (path !== "-") rmSync(hidden, { force: true });
    throw systemError(error, path);
  }
  return count;
}

function header(linktype: number, finer: boolean): Buffer {
  const b = Buffer.alloc(24);
  b.writeUInt32LE(finer ? 0xa1b23c4d : 0xa1b2c3d4, 0);
  b.writeUInt16LE(2, 4);
  b.writeUInt16LE(4, 6);
  b.writeUInt32LE(SNAPLEN, 16);
  b.writeUInt32LE(linktype, 20);
  return b;
}
function record(p: OutPacket, finer: boolean): Buffer {
  const b = Buffer.alloc(16 + p.bytes.length);
  b.writeUInt32LE(Number(BigInt.asUintN(32, p.time / 1000000000n)), 0);
  const ns = Number(p.time % 1000000000n);
  b.writeUInt32LE(finer ? ns : Math.floor(ns / 1000), 4);
  b.writeUInt32LE(p.bytes.length, 8);
  b.writeUInt32LE(p.length, 12);
  b.set(p.bytes, 16);
  return b;
}
/** SHB, and an IDB with nanoseconds for each link type (draft-ietf-opsawg-pcapng §4.1, 4.2). */
function sections(linktypes: readonly number[]): Buffer {
  const shb = Buffer.alloc(28);
  shb.writeUInt32LE(0x0a0d0d0a, 0);
  shb.writeUInt32LE(28, 4);
  shb.writeUInt32LE(0x1a2b3c4d, 8);
  shb.writeUInt16LE(1, 12);
  shb.writeBigInt64LE(-1n, 16);
  shb.writeUInt32LE(28, 24);
  const idbs = linktypes.map((l) => {
    const b = Buffer.alloc(32);
    b.writeUInt32LE(1, 0);
    b.writeUInt32LE(32, 4);
    b.writeUInt16LE(l, 8);
    b.writeUInt32LE(SNAPLEN, 12);
    b.writeUInt16LE(9, 16);
    b.writeUInt16LE(1, 18);
    b[20] = 9;
    b.writeUInt32LE(32, 28);
    return b;
  });
  return Buffer.concat([shb, ...idbs]);
}
function enhanced(p: OutPacket, iface: number): Buffer {
  const padded = (p.bytes.length + 3) & ~3;
  const b = Buffer.alloc(32 + padded);
  b.writeUInt32LE(6, 0);
  b.writeUInt32LE(b.length, 4);
  b.writeUInt32LE(iface, 8);
  b.writeUInt32LE(Number(p.time >> 32n), 12);
  b.writeUInt32LE(Number(p.time & 0xffffffffn), 16);
  b.writeUInt32LE(p.bytes.length, 20);
  b.writeUInt32LE(p.length, 24);
  b.set(p.bytes, 28);
  b.writeUInt32LE(b.length, b.length - 4);
  return b;
}
