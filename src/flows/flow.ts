/** What TypeScript keeps of one flow while it is open: who, what was found, and the oddities met. */
import type { AnomalyDetail, At, FlowView, Transport } from "../decoders/contract.js";
import { sharedList } from "./brief.js";

const NONE: readonly string[] = [];
const TRANSPORT: Record<number, Transport> = { 1: "icmp", 6: "tcp", 17: "udp", 58: "ipv6-icmp", 132: "sctp" };

export interface AnomalyCount extends AnomalyDetail {
  count: number;
  at: At;
}

/** The PROXY protocol (src/decoders/upgrade/proxy.ts): a head before what the connection is. */
const PROXY = "proxy";
/** In `packed`: the handshake was seen. */
export const ORIGIN_KNOWN = 0x20000;

export class Flow {
  readonly slot: number;
  readonly serial: number;
  readonly protocol: number;
  readonly hasPorts: boolean;
  /** The TCP handshake told who began. */
  readonly originKnown: boolean;
  readonly interface: number;
  /**
   * What the native side told once of the flow, between tabs: both addresses, community id, both MACs, VLAN, inner VLAN, tunnels, seed of its
   * id. Kept as it came: there can be very many flows.
   */
  readonly told: string;
  /** Protocol, IP version, whether it has ports, whether the handshake was seen: native/engine/engine_tell.cc. */
  readonly packed: number;
  /** Both ports, the source's in the upper half of 32 bits with a sign. */
  readonly ports: number;
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
    this.hasPorts = (packed & 0x10000) !== 0;
    this.originKnown = (packed & ORIGIN_KNOWN) !== 0;
    this.packed = packed;
    this.ports = ports | 0; // V8 keeps larger numbers apart
    this.interface = iface;
    this.told = told;
  }
  /** Of the native sides. */
  get addresses(): [string, string] {
    const first = this.told.indexOf("\t");
    return [this.told.slice(0, first), this.told.slice(first + 1, this.told.indexOf("\t", first + 1))];
  }
  /** A protocol was found; the first found stands first, one that only says for whom the connection is last. */
  found(protocol: string): void {
    const last = this.protocols.at(-1);
    this.protocols = sharedList(last === PROXY ? [...this.protocols.slice(0, -1), protocol, PROXY] : [...this.protocols, protocol]);
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
