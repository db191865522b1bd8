/** What segment files begin with, and a walk over the records that the native side wrote. Numbers stand in this machine's byte order. */
import { endianness } from "node:os";

type Form = "pcap" | "pcapng";
const LITTLE = endianness() === "LE";
/** Nanosecond pcap; block types and options of pcapng (draft-ietf-opsawg-pcapng). */
const PCAP_NS = 0xa1b23c4d;
const SHB = 0x0a0d0d0a;
const IDB = 1;
const ISB = 5;
const EPB = 6;
const BYTE_ORDER = 0x1a2b3c4d;
const OPT = { name: 2, tsresol: 9, filter: 11, received: 4, dropped: 5 } as const;

class Writer {
  private readonly parts: Buffer[] = [];
  u32(v: number): this {
    const b = Buffer.alloc(4);
    if (LITTLE) b.writeUInt32LE(v >>> 0);
    else b.writeUInt32BE(v >>> 0);
    return this.bytes(b);
  }
  u16(v: number): this {
    const b = Buffer.alloc(2);
    if (LITTLE) b.writeUInt16LE(v);
    else b.writeUInt16BE(v);
    return this.bytes(b);
  }
  u64(v: bigint): this {
    const b = Buffer.alloc(8);
    if (LITTLE) b.writeBigUInt64LE(v);
    else b.writeBigUInt64BE(v);
    return this.bytes(b);
  }
  bytes(b: Buffer): this {
    this.parts.push(b);
    return this;
  }
  option(code: number, value: Buffer): this {
    return this.u16(code)
      .u16(value.length)
      .bytes(value)
      .bytes(Buffer.alloc(-value.length & 3));
  }
  done(): Buffer {
    return Buffer.concat(this.parts);
  }
}
const block = (type: number, body: Buffer): Buffer =>
  new Writer()
    .u32(type)
    .u32(body.length + 12)
    .bytes(body)
    .u32(body.length + 12)
    .done();

export interface HeadInterface {
  name: string;
  linktype: number;
}
export function pcapHead(linktype: number, snaplen: number): Buffer {
  return new Writer().u32(PCAP_NS).u16(2).u16(4).u32(0).u32(0).u32(snaplen).u32(linktype).done();
}
export function pcapngHead(interfaces: readonly HeadInterface[], snaplen: number, filter: string | undefined): Buffer {
  const section = new Writer().u32(BYTE_ORDER).u16(1).u16(0).u64(0xffffffffffffffffn).done();
  const all = [block(SHB, section)];
  for (const i of interfaces) {
    const body = new Writer().u16(i.linktype).u16(0).u32(snaplen).option(OPT.name, Buffer.from(i.name)).option(OPT.tsresol, Buffer.of(9));
    if (filter) body.option(OPT.filter, Buffer.concat([Buffer.of(0), Buffer.from(filter)]));
    all.push(block(IDB, body.u16(0).u16(0).done()));
  }
  return Buffer.concat(all);
}
/** Interface statistics at a time, ns since 1970: what the kernel received and dropped until then. */
export function statisticsBlock(id: number, time: bigint, received: number, dropped: number): Buffer {
  const long = (v: number): Buffer => new Writer().u64(BigInt(v)).done();
  const body = new Writer()
    .u32(id)
    .u32(Number(time >> 32n))
    .u32(Number(time & 0xffffffffn))
    .option(OPT.received, long(received))
    .option(OPT.dropped, long(dropped))
    .u16(0)
    .u16(0);
  return block(ISB, body.done());
}

/** A packet as the native side writes it: a pcap record, or an enhanced packet block. `length`: bytes it had on the wire. */
export function recordOf(time: bigint, packet: Buffer, length: number, interfaceId: number, form: Form): Buffer {
  const w = new Writer();
  if (form === "pcap")
    return w
      .u32(Number(time / 1000000000n))
      .u32(Number(time % 1000000000n))
      .u32(packet.length)
      .u32(length)
      .bytes(packet)
      .done();
  w.u32(interfaceId)
    .u32(Number(time >> 32n))
    .u32(Number(time & 0xffffffffn))
    .u32(packet.length)
    .u32(length);
  return block(
    EPB,
    w
      .bytes(packet)
      .bytes(Buffer.alloc(-packet.length & 3))
      .done(),
  );
}

/** A record's place in a window: where it begins and ends, its time (ns since 1970), and its packet. */
export interface PlacedRecord {
  from: number;
  to: number;
  time: bigint;
  length: number;
  dataFrom: number;
  caplen: number;
  interfaceId: number;
}
/** Where the record at `at` ends. */
export const recordEnd = (view: DataView, at: number, form: Form): number =>
  form === "pcap" ? at + 16 + view.getUint32(at + 8, LITTLE) : at + view.getUint32(at + 4, LITTLE);
/** A time as records carry it: seconds and ns (pcap), or the halves of ns since 1970 (pcapng). */
export interface Stamp {
  high: number;
  low: number;
}
export const stampOf = (time: bigint, form: Form): Stamp =>
  form === "pcap"
    ? { high: Number(time / 1000000000n), low: Number(time % 1000000000n) }
    : { high: Number(time >> 32n), low: Number(time & 0xffffffffn) };
/** The record at `at` has that time or a later one. */
export function notBefore(view: DataView, at: number, form: Form, s: Stamp): boolean {
  const high = view.getUint32(form === "pcap" ? at : at + 12, LITTLE);
  return high === s.high ? view.getUint32(form === "pcap" ? at + 4 : at + 16, LITTLE) >= s.low : high > s.high;
}
/** The record at `at` of bytes that the native side wrote. */
export function recordAt(view: DataView, at: number, form: Form): PlacedRecord {
  const u32 = (o: number): number => view.getUint32(at + o, LITTLE);
  if (form === "pcap") {
    const caplen = u32(8);
    return {
      from: at,
      to: at + 16 + caplen,
      time: BigInt(u32(0)) * 1000000000n + BigInt(u32(4)),
      caplen,
      length: u32(12),
      dataFrom: at + 16,
      interfaceId: 0,
    };
  }
  const caplen = u32(20);
  return {
    from: at,
    to: at + u32(4),
    time: (BigInt(u32(12)) << 32n) | BigInt(u32(16)),
    caplen,
    length: u32(24),
    dataFrom: at + 28,
    interfaceId: u32(8),
  };
}
