/** What TypeScript keeps of one flow while it is open: who, what was found, and the oddities met. */
import type { AnomalyDetail, At, EndCause, FlowView, Transport } from "../decoders/contract.js";

const TRANSPORT: Record<number, Transport> = { 1: "icmp", 6: "tcp", 17: "udp", 58: "ipv6-icmp", 132: "sctp" };

export interface AnomalyCount extends AnomalyDetail {
  count: number;
  at: At;
}

/** What the native side tells once of a flow; the text is split when somebody asks. */
export class FlowInfo {
  readonly fields: string[];
  constructor(text: string) {
    this.fields = text.split("\t");
  }
  address(side: number): string {
    return this.fields[side];
  }
  get communityId(): string {
    return this.fields[2];
  }
  mac(side: number): string {
    return this.fields[3 + side];
  }
  get vlan(): string {
    return this.fields[5];
  }
  get innerVlan(): string {
    return this.fields[6];
  }
  get tunnels(): string {
    return this.fields[7];
  }
  /** 32 hex digits: what flow.id is made of besides the capture's id. */
  get seed(): string {
    return this.fields[8];
  }
}

export class Flow {
  readonly slot: number;
  readonly serial: number;
  readonly protocol: number;
  readonly version: number;
  readonly hasPorts: boolean;
  /** The TCP handshake told who began. */
  readonly originKnown: boolean;
  readonly interface: number;
  readonly info: FlowInfo;
  private readonly ports: readonly [number, number];
  /** Decoders found that the native side 1 is the originator (only where the handshake does not tell). */
  reversed = false;
  /** The client, as the protocol sees it, is the native side 1. */
  flip = 0;
  protocols: string[] = [];
  anomalies: Map<string, AnomalyCount> | undefined;

  constructor(slot: number, serial: number, packed: number, ports: number, iface: number, info: FlowInfo) {
    this.slot = slot;
    this.serial = serial;
    this.protocol = packed & 0xff;
    this.version = (packed >> 8) & 0xff;
    this.hasPorts = (packed & 0x10000) !== 0;
    this.originKnown = (packed & 0x20000) !== 0;
    this.ports = [ports >>> 16, ports & 0xffff];
    this.interface = iface;
    this.info = info;
  }
  get transport(): Transport | undefined {
    return TRANSPORT[this.protocol];
  }
  port(side: number): number {
    return this.ports[side];
  }
  view(): FlowView {
    return {
      transport: this.transport ?? "tcp",
      protocol: this.protocol,
      clientPort: this.ports[this.flip],
      serverPort: this.ports[1 - this.flip],
      clientAddress: this.info.address(this.flip),
      serverAddress: this.info.address(1 - this.flip),
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

export const END_REASONS: readonly EndCause[] = ["fin", "rst", "timeout", "capture-end"];
