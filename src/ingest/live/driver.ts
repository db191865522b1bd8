/** Interfaces opened for capture. Each gives windows of records in the form of the segment files. */
import { getSystemErrorMap } from "node:util";
import { addon, type NativeLive } from "../../engine/native.js";
import { ThreatflowError } from "../../errors.js";
import { linktypeNumber } from "../../records/protocols.js";
import type { Filter } from "../filter.js";
import { interfaceDrops, interfaces } from "./interfaces.js";

export interface LiveOptions {
  snaplen: number;
  bufferBytes: number;
  promiscuous: boolean;
  filter: Filter | undefined;
  form: "pcap" | "pcapng";
}
export interface KernelCounts {
  /** Behind the filter; kept and dropped together. */
  received: number;
  dropped: number;
  interfaceDropped: number;
  /** Packets that the kernel kept and our own interpreter would not have. */
  disagreed: number;
}
const ANY = "any";
const COOKED = 276;
const errno = (n: number): string => getSystemErrorMap().get(-Math.abs(n))?.[0] ?? String(n);

/** An interface that is captured from, whatever reads it. */
export interface LiveSource {
  readonly name: string;
  readonly linktype: number;
  readonly promiscuous: boolean;
  /** Why it gave nothing lately. */
  readonly trouble: string | undefined;
  /** Bytes of records that came; 0 where none did in time. Throws where the interface is gone. */
  read(into: Uint8Array, timeoutMs: number): Promise<number>;
  /** No packet from now on; what is held can still be read. */
  stop(): void;
  /** Changes the filter between two packets. */
  filter(f: Filter | undefined): void;
  counts(): KernelCounts;
  close(): void;
}

/** A TPACKET_V3 ring (native/live). */
export class LiveInterface implements LiveSource {
  readonly name: string;
  readonly linktype: number;
  readonly promiscuous: boolean;
  private readonly native: NativeLive;
  private readonly dropsBefore: number;
  /** Why it gave nothing lately. */
  trouble: string | undefined;

  constructor(name: string, id: number, o: LiveOptions) {
    this.name = name;
    this.native = new addon.Live();
    this.dropsBefore = interfaceDrops(name);
    const linktype = name === ANY ? COOKED : linktypeOf(name);
    const opened = this.native.open({
      interface: name,
      snaplen: o.snaplen,
      bufferBytes: o.bufferBytes,
      promiscuous: o.promiscuous,
      program: o.filter ? o.filter.program(linktype) : new Uint32Array(),
      form: o.form === "pcapng" ? 1 : 0,
      id,
    });
    if (opened.what) throw openError(name, opened.what, errno(opened.error));
    this.linktype = opened.linktype;
    this.promiscuous = opened.promiscuous;
  }

  async read(into: Uint8Array, timeoutMs: number): Promise<number> {
    const n = await this.native.read(into, timeoutMs);
    if (n >= 0) {
      if (n > 0) this.trouble = undefined;
      return n;
    }
    const code = errno(n);
    this.trouble = code === "ENETDOWN" ? `${this.name} is down` : `${this.name}: ${code}`;
    if (code === "ENETDOWN" || code === "EINTR") return 0; // it may come back
    throw new ThreatflowError("CAPTURE", `${this.name}: the capture broke off (${code})`, "`threatflow interfaces` shows what is there");
  }
  stop(): void {
    const why = this.native.stop();
    if (why) throw new ThreatflowError("CAPTURE", `${this.name}: it cannot be stopped: ${why}`);
  }
  filter(f: Filter | undefined): void {
    const why = this.native.filter(f ? f.program(this.linktype) : new Uint32Array());
    if (why) throw new ThreatflowError("FILTER_INVALID", why);
  }
  counts(): KernelCounts {
    const s = this.native.stats();
    return {
      received: s.received,
      dropped: s.dropped,
      interfaceDropped: Math.max(0, interfaceDrops(this.name) - this.dropsBefore),
      disagreed: s.disagreed,
    };
  }
  close(): void {
    this.native.close();
  }
}

/** The link type that a filter is compiled for, before the interface is opened. */
function linktypeOf(name: string): number {
  const i = interfaces().find((x) => x.name === name);
  if (!i) throw openError(name, "no such interface", "ENODEV");
  return linktypeNumber(i.linktype) ?? 1;
}

function openError(name: string, what: string, code: string): ThreatflowError {
  if (code === "EPERM" || code === "EACCES")
    return new ThreatflowError(
      "NOT_PERMITTED",
      `${name}: capturing is not permitted`,
      `run as root, or once: sudo setcap cap_net_raw,cap_net_admin=ep ${process.execPath}`,
    );
  if (code === "ENODEV" || code === "ENXIO") {
    const names = interfaces().map((i) => i.name);
    return new ThreatflowError("NO_SUCH_INTERFACE", `there is no interface ${name}`, `there are ${[...names, ANY].join(", ")}`);
  }
  if (code === "ENETDOWN") return new ThreatflowError("CAPTURE", `${name} is down`, `ip link set ${name} up`);
  if (code === "ENOMEM") return new ThreatflowError("CAPTURE", `${name}: no memory for the capture buffer`, "ask for less with -B");
  return new ThreatflowError("CAPTURE", `${name}: ${what}`, "");
}
