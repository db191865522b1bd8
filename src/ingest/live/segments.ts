/**
 * A rolling capture on disk: a row of segment files, `DATA/captures/<capture>/000001.pcap`, and a manifest. The segment at hand is hidden; when it
 * closes it is on disk and renamed. Together the segments are one capture: each begins with the same head, behind it go only records.
 */
import { createHash } from "node:crypto";
import { closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync, renameSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { systemError } from "../../errors.js";
import { writeAll } from "../../file-bytes.js";
import { notBefore, type PlacedRecord, recordAt, recordEnd, type Stamp, stampOf } from "./file-head.js";
import { hiddenName, type Manifest, type SegmentInfo, writeManifest } from "./manifest.js";
import { packedName, packSegment } from "./pack.js";

/** Deleted segments that the manifest still names one by one. */
const MOST_EXPIRED = 100;

/** When the next segment begins; whichever comes first. */
export interface Rotation {
  ns?: bigint;
  bytes?: number;
  packets?: number;
}
/** What is kept: the oldest segments beyond it are deleted. */
export interface Retention {
  ns?: bigint;
  bytes?: number;
  files?: number;
  /** Free bytes that the disk must have. */
  free?: number;
}
/** SEMANTICS 26: known from the first packet, the same for any rotation. */
export function rollingId(linktype: number, record: PlacedRecord, window: Uint8Array): string {
  const head = Buffer.alloc(20);
  head.writeUInt32BE(linktype, 0);
  head.writeBigUInt64BE(record.time, 4);
  head.writeUInt32BE(record.caplen, 12);
  head.writeUInt32BE(record.length, 16);
  return createHash("sha256")
    .update(head)
    .update(window.subarray(record.dataFrom, record.dataFrom + record.caplen))
    .digest("hex");
}

/** Told of what is on disk: the decoder follows. */
export interface SegmentListener {
  /** Records of a segment go on to `records` bytes of its file. */
  grown(path: string, head: number, records: number): void;
  closed(hiddenPath: string, path: string): void;
}

export class SegmentWriter {
  readonly dir: string;
  readonly manifest: Manifest;
  packets = 0;
  bytes = 0;
  diskDropped = 0;
  private readonly head: Buffer;
  private readonly rotation: Rotation;
  private readonly tail: () => Buffer;
  private readonly listener: SegmentListener;
  private fd = -1;
  private current: SegmentInfo | undefined;
  private begun = 0n;
  private lastTime = 0n;
  /** From this time on the next segment begins. */
  private until: Stamp | undefined;

  /** `tail`: what closes a segment behind its records (interface statistics). */
  constructor(dir: string, manifest: Manifest, head: Buffer, rotation: Rotation, tail: () => Buffer, listener: SegmentListener) {
    this.dir = dir;
    this.manifest = manifest;
    this.head = head;
    this.rotation = rotation;
    this.tail = tail;
    this.listener = listener;
    try {
      mkdirSync(dir, { recursive: true });
    } catch (error) {
      throw systemError(error, dir);
    }
  }

  private path(s: SegmentInfo, hidden: boolean): string {
    return join(this.dir, hidden ? hiddenName(s.name) : s.name);
  }

  /** Takes whole records; returns how many packets it took (fewer where `most` is reached). Throws DISK_FULL: then the rest is counted lost. */
  write(window: Uint8Array, most = Infinity): number {
    const { form } = this.manifest;
    const view = new DataView(window.buffer, window.byteOffset, window.byteLength);
    let from = 0;
    let pending = 0;
    let taken = 0;
    let at = 0;
    let last = 0;
    const flush = (): void => {
      if (at === from) return;
      this.lastTime = recordAt(view, last, form).time;
      this.append(window.subarray(from, at), pending);
      from = at;
      pending = 0;
    };
    while (at < window.length && taken < most) {
      const end = recordEnd(view, at, form);
      if (!this.current) this.open(recordAt(view, at, form).time);
      else if (this.due(view, at, end, at - from, pending)) {
        flush();
        this.close();
        this.open(recordAt(view, at, form).time);
      }
      last = at;
      at = end;
      pending++;
      taken++;
    }
    flush();
    return taken;
  }

  private due(view: DataView, at: number, end: number, waitingBytes: number, waitingPackets: number): boolean {
    const s = this.current as SegmentInfo;
    const { bytes, packets } = this.rotation;
    if (s.packets + waitingPackets === 0) return false;
    if (this.until && notBefore(view, at, this.manifest.form, this.until)) return true;
    if (bytes !== undefined && s.records + waitingBytes + (end - at) > bytes) return true;
    return packets !== undefined && s.packets + waitingPackets >= packets;
  }

  private open(time: bigint): void {
    const number = (this.manifest.before?.segments ?? 0) + this.manifest.segments.length + 1;
    const s: SegmentInfo = {
      name: `${String(number).padStart(6, "0")}.${this.manifest.form}`,
      packets: 0,
      bytes: 0,
      head: this.head.length,
      records: this.head.length,
      first: undefined,
      last: undefined,
    };
    try {
      this.fd = openSync(this.path(s, true), "wx", 0o640);
      writeAll(this.fd, this.head);
    } catch (error) {
      throw systemError(error, this.dir);
    }
    this.current = s;
    this.begun = time;
    if (this.rotation.ns !== undefined) this.until = stampOf(time + this.rotation.ns, this.manifest.form);
    this.manifest.segments.push(s);
    this.save();
  }

  private append(bytes: Uint8Array, packets: number): void {
    const s = this.current as SegmentInfo;
    const before = s.records;
    try {
      writeAll(this.fd, bytes, s.records);
    } catch (error) {
      try {
        ftruncateSync(this.fd, before); // no half record stays
      } catch {
        // the error that counts is the first
      }
      this.diskDropped += packets;
      throw systemError(error, this.dir);
    }
    s.records += bytes.length;
    s.packets += packets;
    this.packets += packets;
    this.bytes += bytes.length;
    this.listener.grown(this.path(s, true), s.head, s.records);
  }

  /** Ends the segment at hand: on disk, renamed, in the manifest. */
  close(): void {
    const s = this.current;
    if (!s) return;
    this.current = undefined;
    try {
      const tail = this.tail();
      writeAll(this.fd, tail, s.records);
      s.bytes = s.records + tail.length;
      fsyncSync(this.fd);
    } catch {
      s.bytes = s.records; // a full disk takes no statistics; the records are there
    }
    closeSync(this.fd);
    this.fd = -1;
    s.first = new Date(Number(this.begun / 1000000n)).toISOString();
    s.last = new Date(Number(this.lastTime / 1000000n)).toISOString();
    renameSync(this.path(s, true), this.path(s, false));
    this.listener.closed(this.path(s, true), this.path(s, false));
    this.save();
  }

  /** Compresses the oldest closed segment that is not yet, unless `busy` (still to be decoded). False: there is none. */
  async pack(busy: (path: string) => boolean): Promise<boolean> {
    const s = this.manifest.segments.find((x) => x !== this.current && !x.expired && !x.packed);
    if (!s || busy(this.path(s, false))) return false;
    const plain = this.path(s, false);
    const bytes = await packSegment(plain);
    if (s.expired) rmSync(packedName(plain), { force: true });
    else {
      s.name = packedName(s.name);
      s.packed = "zstd";
      s.bytes = bytes;
      this.save();
      rmSync(plain, { force: true });
      this.listener.closed(plain, packedName(plain));
    }
    return true;
  }

  /** Deletes the oldest closed segments beyond what is kept; never one that `busy` (still to be decoded), and none of a capture on hold. */
  expire(keep: Retention, now: bigint, busy: (path: string) => boolean): number {
    if (this.manifest.hold) return 0;
    const closed = this.manifest.segments.filter((s) => s !== this.current && !s.expired);
    let total = closed.reduce((a, s) => a + s.bytes, 0) + (this.current?.records ?? 0);
    let files = closed.length + (this.current ? 1 : 0);
    let deleted = 0;
    for (const s of closed) {
      const old = keep.ns !== undefined && s.last !== undefined && now - BigInt(Date.parse(s.last)) * 1000000n > keep.ns;
      const large = keep.bytes !== undefined && total > keep.bytes;
      const many = keep.files !== undefined && files > keep.files;
      const full = keep.free !== undefined && freeBytes(this.dir) < keep.free;
      if (!(old || large || many || full) || busy(this.path(s, false))) break;
      rmSync(this.path(s, false), { force: true });
      s.expired = true;
      total -= s.bytes;
      files--;
      deleted++;
    }
    if (deleted) {
      this.forget();
      this.save();
    }
    return deleted;
  }
  /** The manifest of an endless capture does not grow. */
  private forget(): void {
    const { segments } = this.manifest;
    const gone = segments.findIndex((s) => !s.expired);
    for (const s of segments.splice(0, Math.max(0, gone - MOST_EXPIRED))) {
      const before = this.manifest.before ?? { segments: 0, packets: 0, bytes: 0 };
      this.manifest.before = { segments: before.segments + 1, packets: before.packets + s.packets, bytes: before.bytes + s.bytes };
    }
  }

  /** The manifest, at once and whole. */
  save(): void {
    try {
      writeManifest(this.dir, this.manifest);
    } catch {
      // a full disk: the segments tell what there is
    }
  }
}

const freeBytes = (dir: string): number => {
  const fs = statfsSync(dir);
  return fs.bavail * fs.bsize;
};
