/** What TypeScript keeps of one flow while it is open: who, what was found, and the oddities met. */
import type { AnomalyDetail, At, FlowView, Transport } from "../decoders/contract.js";

const NONE: readonly string[] = [];
const TRANSPORT: Record<number, Transport> = { 1: "icmp", 6: "tcp", 17: "udp", 58: "ipv6-icmp", 132: "sctp" };

export interface AnomalyCount extends AnomalyDetail {
  count: number;
  at: At;
}

/** What the native side tells once of a flow, as it came: split when a record is written, and not kept (there can be very many flows). */
export interface FlowInfo {
  /** Addresses of the native sides. */
  addresses: readonly [string, string];
  communityId: string;
  macs: readonly [string, string];
  vlan: string;
  innerVlan: string;
  tunnels: string;
}
export function flowInfo(text: string): FlowInfo {
  const f = text.split("\t");
  return { addresses: [f[0], f[1]], communityId: f[2], macs: [f[3], f[4]], vlan: f[5], innerVlan: f[6], tunnels: f[7] };
}
/** 32 hex digits, the text's last: what flow.id is made of besides the capture's id. */
const SEED_CHARS = 32;

export class Flow {
  readonly slot: number;
  readonly serial: number;
  readonly protocol: number;
  readonly version: number;
  readonly hasPorts: boolean;
  /** The TCP handshake told who began. */
  readonly originKnown: boolean;
  readonly interface: number;
  /** What `flowInfo` splits. */
  readonly told: string;
  /** Both ports, the source's in the upper half. */
  private readonly ports: number;
  /** Decoders found that the native side 1 is the originator (only where the handshake does not tell). */
  reversed = false;
  /** The client, as the protocol sees it, is the native side 1. */
  flip = 0;
  protocols: readonly string[] = NONE;
  anomalies: Map<string, AnomalyCount> | undefined;

  constructor(slot: number, serial: number, packed: number, ports: number, iface: number, told: string) {
    this.slot = slot;
    this.serial = serial;
    this.protocol = packed & 0xff;
    this.version = (packed >> 8) & 0xff;
    this.hasPorts = (packed & 0x10000) !== 0;
    this.originKnown = (packed & 0x20000) !== 0;
    this.ports = ports;
    this.interface = iface;
    this.told = told;
  }
  get seed(): string {
    return this.told.slice(-SEED_CHARS);
  }
  /** A protocol was found; the first found stands first. */
  found(protocol: string): void {
    this.protocols = [...this.protocols, protocol];
  }
  get transport(): Transport | undefined {
    return TRANSPORT[this.protocol];
  }
  port(side: number): number {
    return side ? this.ports & 0xffff : this.ports >>> 16;
  }
  view(): FlowView {
    return {
      transport: this.transport ?? "tcp",
      protocol: this.protocol,
      clientPort: this.port(this.flip),
      serverPort: this.port(1 - this.flip),
      midstream: this.protocol === 6 && !this.originKnown,
    };
  }
  /** Sets who the client is; where the handshake is not in the capture, that also tells who began (SEMANTICS 20). */
  client(side: number): void {
    this.flip = side;
    if (!this.originKnown) this.reversed = side === 1;
  }
  note(name: string, at: At, detail: AnomalyDetail = {}, count = 1): void {
    this.anomalies ??= new Map();
    const known = this.anomalies.get(name);
    if (known) known.count += count;
    else this.anomalies.set(name, { count, at, ...detail });
  }
}

export type EndCause = "fin" | "rst" | "timeout" | "capture-end";
/** In the order of native/engine/batch.h; the last one is an open flow's. */
export const END_REASONS: readonly (EndCause | undefined)[] = ["fin", "rst", "timeout", "capture-end", undefined];
