/** The capture's own record: accounting, interfaces, comments, damage; and the oddities that the survey found in the file. */
import type { At, Emission } from "../decoders/contract.js";
import type { NativeSummary } from "../engine/native.js";
import { frameName, linktypeName } from "./protocols.js";
import { IANA_DATE, SUFFIX_LIST } from "./tables.js";
import { TextNotes, wireText } from "./text.js";

export interface Accounting {
  read: number;
  decoded: number;
  filtered: number;
  undecodable: Record<string, number>;
  duplicate: number;
}

/** What a live capture loses before there is a packet to account for. */
export interface LiveDrops {
  /** By the kernel, behind its filter: read + kernel_dropped + disk_dropped. */
  kernel_received: number;
  kernel_dropped: number;
  interface_dropped: number;
  /** Read from the kernel and not written: the disk was full. */
  disk_dropped: number;
}

/** The identity L2; throws where it does not hold, which is a bug of ours. */
export function accountingOf(s: NativeSummary, setAside = 0): Accounting {
  const undecodable = { ...s.undecodable };
  if (setAside) undecodable["worker-crash"] = setAside;
  const lost = Object.values(undecodable).reduce((a, b) => a + b, 0);
  return { read: s.read, decoded: s.read - s.filtered - s.duplicate - lost, filtered: s.filtered, undecodable, duplicate: s.duplicate };
}

const nanos = (t: bigint, packet: number): At => {
  const seconds = t >= 0n ? t / 1000000000n : (t - 999999999n) / 1000000000n;
  return { packet, seconds: Number(seconds), nanos: Number(t - seconds * 1000000000n) };
};
export const firstAt = (s: NativeSummary): At => nanos(s.read ? s.minTime : 0n, 0);
export const lastAt = (s: NativeSummary): At => nanos(s.read ? s.maxTime : 0n, 0);

const counts = (pairs: readonly [string, number][]): Record<string, number> | undefined => {
  if (pairs.length === 0) return undefined;
  const out: Record<string, number> = Object.create(null);
  for (const [k, v] of [...pairs].sort((a, b) => (a[0] < b[0] ? -1 : 1))) out[k] = (out[k] ?? 0) + v;
  return out;
};

export function captureEmission(
  s: NativeSummary,
  accounting: Accounting & Partial<LiveDrops>,
  bytes: number,
  compression: string | undefined,
): Emission {
  const text = (b: Buffer | undefined, max: number): string | undefined =>
    b?.length ? wireText(b, max, new TextNotes()) || undefined : undefined;
  return {
    dataset: "capture",
    at: firstAt(s),
    until: lastAt(s),
    side: 0,
    stream: 0,
    body: {
      capture: {
        format: s.format,
        bytes,
        compression,
        linktypes: s.linktypes.length ? s.linktypes.map(([n]) => linktypeName(n)) : undefined,
        read: accounting.read,
        decoded: accounting.decoded,
        filtered: accounting.filtered,
        undecodable: counts(Object.entries(accounting.undecodable)),
        duplicate: accounting.duplicate,
        kernel_received: accounting.kernel_received,
        kernel_dropped: accounting.kernel_dropped,
        interface_dropped: accounting.interface_dropped,
        disk_dropped: accounting.disk_dropped,
        frames: counts(s.frames.map(([n, v]) => [frameName(n), v])),
        truncated_at: s.truncated ? s.truncatedAt : undefined,
        broken_records: s.brokenRecords || undefined,
        broken_bytes: s.brokenBytes || undefined,
        packet_drops: s.packetDrops || undefined,
        comments: s.comments.length ? s.comments.map((c) => text(c.text, 4096) ?? "") : undefined,
        interfaces: s.interfaces.length
          ? s.interfaces.slice(0, 256).map((i, id) => ({
              id: String(id),
              name: text(i.name, 256),
              linktype: linktypeName(i.linktype),
              snaplen: i.snaplen || undefined,
              filter: text(i.filter, 1024),
              received: i.received,
              dropped: i.dropped,
              os_dropped: i.osDropped,
            }))
          : undefined,
        suffix_list: SUFFIX_LIST,
        iana_tables: IANA_DATE,
      },
    },
    anomalies: fileAnomalies(s).map((a) => a.name),
  };
}

export interface FileAnomaly {
  at: At;
  name: string;
  count: number;
  offset?: number;
  needed?: number;
}
/** What the survey found odd in the file itself. */
export function fileAnomalies(s: NativeSummary): FileAnomaly[] {
  const out: FileAnomaly[] = [];
  if (s.brokenRecords)
    out.push({ at: lastAt(s), name: "capture-record-broken", count: s.brokenRecords, offset: s.firstBroken, needed: s.brokenBytes });
  if (s.truncated) out.push({ at: lastAt(s), name: "capture-truncated", count: 1, offset: s.truncatedAt });
  if (s.timeSteps) out.push({ at: nanos(s.firstStepTime, s.firstStepPacket), name: "time-step", count: s.timeSteps });
  const h = s.hooks;
  if (h?.failed && h.first_failed)
    out.push({ at: nanos(h.first_failed.time, h.first_failed.packet), name: "hook-verify-failed", count: h.failed });
  return out;
}
