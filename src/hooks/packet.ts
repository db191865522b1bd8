/** A packet as a user's hook sees it: decoded headers and the bytes. One object is used for all; what a hook wants to keep it copies. */
import { INDEX_BYTES } from "../engine/native.js";
import { ipText } from "../records/text.js";

/** Bytes of a row of native/engine/headers.h. */
export const HEADER_BYTES = 56;
const HAS_IP = 1;
const HAS_PORTS = 2;
const IS_FRAGMENT = 4;

export interface HookPacket {
  /** From 1, in the capture. */
  readonly number: number;
  /** Nanoseconds since 1970. */
  readonly time: bigint;
  /** Bytes on the wire, and captured. */
  readonly length: number;
  readonly captured: number;
  /** From 0. */
  readonly interface: number;
  /** Outermost VLAN id, or 0. */
  readonly vlan: number;
  /** Ethertype of frames without IP, else 0. */
  readonly etherType: number;
  /** Of the innermost IP header; undefined: no IP. */
  readonly ipVersion: 4 | 6 | undefined;
  readonly source: string | undefined;
  readonly destination: string | undefined;
  /** IP protocol number, behind extension headers: 6 TCP, 17 UDP, 1 ICMP, … */
  readonly protocol: number | undefined;
  readonly sourcePort: number | undefined;
  readonly destinationPort: number | undefined;
  /** FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32. */
  readonly tcpFlags: number;
  readonly fragment: boolean;
  /** The packet from its link header on, and what follows the transport header; as far as captured. Good until the hook returns. */
  readonly bytes: Uint8Array;
  readonly payload: Uint8Array;
}
/** What a hook file exports: at least one. They answer from the packet alone: the same packet, the same answer. */
export interface HookFile {
  /** True: the packet is left out, and counted as filtered. */
  drop?(packet: HookPacket): boolean;
  /** False: the packet is decoded, and counted as one that failed; an anomaly of the capture tells how many and which was the first. */
  verify?(packet: HookPacket): boolean;
}

/** Looks at rows of the index and of headers. */
export class PacketView implements HookPacket {
  number = 0;
  private at = 0;
  private header = 0;
  private readonly rows: DataView;
  private readonly headers: DataView;
  private window: Uint8Array = new Uint8Array(0);
  private base = 0;
  constructor(rows: ArrayBufferLike, headers: ArrayBufferLike) {
    this.rows = new DataView(rows);
    this.headers = new DataView(headers);
  }
  look(window: Uint8Array, base: number): void {
    this.window = window;
    this.base = base;
  }
  moveTo(row: number, number: number): void {
    this.at = row * INDEX_BYTES;
    this.header = row * HEADER_BYTES;
    this.number = number;
  }
  get flags(): number {
    return this.rows.getUint16(this.at + 38, true);
  }
  get time(): bigint {
    return this.rows.getBigInt64(this.at + 16, true);
  }
  get captured(): number {
    return this.rows.getUint32(this.at + 28, true);
  }
  get length(): number {
    return this.rows.getUint32(this.at + 32, true);
  }
  get interface(): number {
    return this.rows.getUint16(this.at + 36, true);
  }
  private get bits(): number {
    return this.headers.getUint8(this.header + 39);
  }
  get vlan(): number {
    return this.headers.getUint16(this.header + 40, true);
  }
  get etherType(): number {
    return this.headers.getUint32(this.header + 44, true) & 0xffff;
  }
  get ipVersion(): 4 | 6 | undefined {
    return this.bits & HAS_IP ? (this.headers.getUint8(this.header + 37) as 4 | 6) : undefined;
  }
  private address(offset: number): string | undefined {
    if (!(this.bits & HAS_IP)) return undefined;
    const short = this.ipVersion === 4 ? 12 : 0;
    return ipText(new Uint8Array(this.headers.buffer, this.header + offset + short, 16 - short));
  }
  get source(): string | undefined {
    return this.address(0);
  }
  get destination(): string | undefined {
    return this.address(16);
  }
  get protocol(): number | undefined {
    return this.bits & HAS_IP ? this.headers.getUint8(this.header + 36) : undefined;
  }
  get sourcePort(): number | undefined {
    return this.bits & HAS_PORTS ? this.headers.getUint16(this.header + 32, true) : undefined;
  }
  get destinationPort(): number | undefined {
    return this.bits & HAS_PORTS ? this.headers.getUint16(this.header + 34, true) : undefined;
  }
  get tcpFlags(): number {
    return this.headers.getUint8(this.header + 38);
  }
  get fragment(): boolean {
    return (this.bits & IS_FRAGMENT) !== 0;
  }
  private get start(): number {
    return Number(this.rows.getBigUint64(this.at, true)) - this.base;
  }
  get bytes(): Uint8Array {
    return this.window.subarray(this.start, this.start + this.captured);
  }
  get payload(): Uint8Array {
    const from = this.start + this.headers.getUint32(this.header + 48, true);
    return this.window.subarray(from, from + this.headers.getUint32(this.header + 52, true));
  }
}
