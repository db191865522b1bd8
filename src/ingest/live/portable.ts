/**
 * The third driver: libpcap through the package `cap`, on whatever it runs on. It knows neither when a packet came nor how many were lost, so
 * times are ours and a loss is not counted; that stands in the capture's manifest. A filter runs in our own interpreter.
 */
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import { addon } from "../../engine/native.js";
import { ThreatflowError } from "../../errors.js";
import { linktypeNumber } from "../../records/protocols.js";
import type { Filter } from "../filter.js";
import type { KernelCounts, LiveOptions, LiveSource } from "./driver.js";
import { recordOf } from "./file-head.js";

export const PORTABLE_LIMITS = ["times are those of this program, not of the kernel", "packets that the kernel drops are not counted"];
/** What libpcap may hand over at once. */
const MOST_BYTES = 262144;
/** Records that wait to be read; more are dropped, and counted. */
const MOST_WAITING = 64 << 20;
const TICK_MS = 5;

interface Cap {
  open(device: string, filter: string, bufferBytes: number, into: Buffer): string;
  setMinBytes?(n: number): void;
  on(event: "packet", listener: (bytes: number, truncated: boolean) => void): void;
  send(packet: Buffer, bytes: number): void;
  close(): void;
}

/** A handle of the package, opened. Throws CAPTURE where it is not installed or the interface cannot be opened. */
function openCap(name: string, bufferBytes: number, into: Buffer): { cap: Cap; linktype: number } {
  let made: Cap;
  try {
    const { Cap } = createRequire(import.meta.url)("cap") as { Cap: new () => Cap };
    made = new Cap();
  } catch (error) {
    throw new ThreatflowError(
      "CAPTURE",
      `the package cap is not there: ${(error as Error).message.split("\n")[0]}`,
      "`npm install cap` where libpcap and a compiler are, or leave --driver out",
    );
  }
  try {
    const linktype = made.open(name, "", bufferBytes, into);
    made.setMinBytes?.(0);
    return { cap: made, linktype: linktypeNumber(linktype.replace(/^LINKTYPE_/, "")) ?? 1 };
  } catch (error) {
    const why = (error as Error).message;
    if (/permi|EPERM/i.test(why)) throw new ThreatflowError("NOT_PERMITTED", `${name}: capturing is not permitted`, "run as root");
    throw new ThreatflowError("CAPTURE", `${name}: ${why}`, "`threatflow interfaces` shows what is there");
  }
}

export class PortableInterface implements LiveSource {
  readonly name: string;
  readonly linktype: number;
  readonly promiscuous = true; // libpcap is always asked for it by the package
  trouble: string | undefined;
  private readonly cap: Cap;
  private readonly waiting: Buffer[] = [];
  private waitingBytes = 0;
  private program: Uint32Array;
  private received = 0;
  private dropped = 0;
  private stopped = false;

  constructor(name: string, id: number, o: LiveOptions) {
    this.name = name;
    const into = Buffer.alloc(MOST_BYTES);
    const { cap, linktype } = openCap(name, o.bufferBytes, into);
    this.cap = cap;
    this.linktype = linktype;
    this.program = o.filter ? o.filter.program(linktype) : new Uint32Array();
    cap.on("packet", (bytes) => {
      if (this.stopped) return;
      const packet = into.subarray(0, bytes);
      const keep = this.program.length ? addon.runFilter(this.program, packet, bytes) : bytes;
      if (keep === 0) return;
      this.received++;
      if (this.waitingBytes > MOST_WAITING) {
        this.dropped++;
        return;
      }
      const time = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e3)) * 1000n;
      const record = recordOf(time, packet.subarray(0, Math.min(bytes, keep, o.snaplen)), bytes, id, o.form);
      this.waiting.push(record);
      this.waitingBytes += record.length;
    });
  }

  async read(into: Uint8Array, timeoutMs: number): Promise<number> {
    for (const end = performance.now() + timeoutMs; this.waiting.length === 0; ) {
      if (performance.now() >= end) return 0;
      await sleep(TICK_MS);
    }
    let at = 0;
    for (let next = this.waiting[0]; next && at + next.length <= into.length; next = this.waiting[0]) {
      into.set(next, at);
      at += next.length;
      this.waitingBytes -= next.length;
      this.waiting.shift();
    }
    return at;
  }
  stop(): void {
    this.stopped = true;
  }
  filter(f: Filter | undefined): void {
    this.program = f ? f.program(this.linktype) : new Uint32Array();
  }
  counts(): KernelCounts {
    return { received: this.received, dropped: this.dropped, interfaceDropped: 0, disagreed: 0 };
  }
  close(): void {
    this.cap.close();
  }
}

/** Sends frames as they are, `perSecond` at most (Infinity: as fast as it goes); returns how many. Throws as opening does. */
export async function sendFrames(name: string, frames: Iterable<Buffer>, perSecond: number, signal: AbortSignal): Promise<number> {
  const { cap } = openCap(name, 1 << 20, Buffer.alloc(MOST_BYTES));
  let sent = 0;
  try {
    const begun = performance.now();
    for (const frame of frames) {
      if (signal.aborted) break;
      const early = (sent / perSecond) * 1000 - (performance.now() - begun);
      if (early > 1) await sleep(early);
      else if (sent % 256 === 0) await sleep(0); // others have their turn
      try {
        cap.send(frame, frame.length);
      } catch (error) {
        throw new ThreatflowError(
          "CAPTURE",
          `${name} does not take a frame of ${frame.length} bytes: ${(error as Error).message}`,
          "is its MTU large enough?",
        );
      }
      sent++;
    }
  } finally {
    cap.close();
  }
  return sent;
}
