/** Drives one decoder's session as a stream flow would: bytes of each side in order, kept until they are consumed. */
import type { At, Decoder, Emission, FlowView, Progress } from "../../src/decoders/contract.js";

export interface Driven {
  records: Emission[];
  anomalies: string[];
  /** What the session last said of each side. */
  last: [Progress | undefined, Progress | undefined];
  /** Bytes that each side has left unread where it was handed over. */
  left: [string, string];
}
const VIEW: FlowView = { transport: "tcp", protocol: 6, clientPort: 50000, serverPort: 9999 };

/** Turns: a side and its bytes as hex; null is a hole; "end" is the side's end. `step`: bytes at a time. */
export function drive(decoder: Decoder, turns: readonly [0 | 1, string | null][], step = Infinity, view: Partial<FlowView> = {}): Driven {
  const out: Driven = { records: [], anomalies: [], last: [undefined, undefined], left: ["", ""] };
  const emit = { record: (e: Emission) => out.records.push(e), anomaly: (n: string) => out.anomalies.push(n) };
  const session = decoder.open({ ...VIEW, ...view }, emit as never, { credentials: false });
  const held: [Buffer, Buffer] = [Buffer.alloc(0), Buffer.alloc(0)];
  /** The turn that brought each byte that is held. */
  const brought: [number[], number[]] = [[], []];
  const stopped = [false, false];
  const at = (packet: number): At => ({ packet, seconds: packet, nanos: 0, clock: packet });
  turns.forEach(([side, what], n) => {
    if (stopped[side]) return;
    if (what === null) {
      held[side] = Buffer.alloc(0);
      brought[side] = [];
      stopped[side] = session.gap(side, 100, at(n + 1)) === "stop";
      return;
    }
    if (what === "end") {
      session.sideEnd?.(side, at(n + 1));
      return;
    }
    const bytes = Buffer.from(what.replace(/ /g, ""), "hex");
    for (let from = 0; from < bytes.length; from += step) {
      const more = bytes.subarray(from, Math.min(bytes.length, from + step));
      held[side] = Buffer.concat([held[side], more]);
      brought[side].push(...Array(more.length).fill(n + 1));
      while (held[side].length && !stopped[side]) {
        const p = session.data(side, held[side], (offset) => at(brought[side][offset]), 0);
        out.last[side] = p;
        const consumed = "consumed" in p ? p.consumed : 0;
        held[side] = held[side].subarray(consumed);
        brought[side].splice(0, consumed);
        if (p.kind === "stop" || p.kind === "handover") stopped[side] = true;
        if (p.kind !== "ok" || consumed === 0) break;
      }
    }
  });
  session.end();
  out.left = [held[0].toString("hex"), held[1].toString("hex")];
  out.anomalies.push(...out.records.flatMap((r) => r.anomalies ?? []));
  return out;
}
/** A record's body, whatever its form. */
export const bodyOf = (e: Emission | undefined): Record<string, any> =>
  typeof e?.body === "string" ? JSON.parse(e.body) : (e?.body as object);
