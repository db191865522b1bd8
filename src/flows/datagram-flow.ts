/** A flow of datagrams (UDP, ICMP): each is one message for the session. */
import {
  type At,
  type Decoder,
  type DecoderSettings,
  type Emit,
  NOTHING,
  type Parked,
  type Session,
  type Side,
} from "../decoders/contract.js";
import type { Flow } from "./flow.js";
import { orient, PROBE_BYTES, probe } from "./probing.js";
import { beginning, signature } from "./signatures.js";
import type { Skip } from "./stream-flow.js";

/** Datagrams of a side that are probed before the flow is left alone. */
const PROBE_DATAGRAMS = 4;
const BOTH = 3;

/** Of each side. */
interface Probed {
  datagrams: [number, number];
  bytes: [number, number];
  /** How the last one began. */
  before: [string, string];
}

/** A session that was quiet, and is not there any more. */
export interface Quiet {
  decoder: Decoder;
  parked: Parked;
}

export class DatagramFlow {
  private session: Session | undefined;
  private decoder: Decoder | undefined;
  private readonly flow: Flow;
  private readonly emit: Emit;
  private readonly settings: DecoderSettings;
  private readonly tellSkip: Skip;
  /** A bit for each side. */
  private stopped = 0;
  /** What was probed in vain; most flows are known by their first datagram. */
  private probed: Probed | undefined;
  private finished = false;

  constructor(flow: Flow, emit: Emit, settings: DecoderSettings, tellSkip: Skip) {
    this.flow = flow;
    this.emit = emit;
    this.settings = settings;
    this.tellSkip = tellSkip;
  }

  data(side: number, bytes: Uint8Array, cut: number, at: At): void {
    if (this.finished || this.stopped & (1 << side)) return;
    if (!this.session && !this.find(side, bytes)) return;
    const progress = this.session?.data((side ^ this.flow.flip) as Side, bytes, () => at, 0);
    if (progress?.kind === "stop") this.stop(side);
    else if (progress?.kind === "ok" && progress.consumed < bytes.length) {
      this.emit.anomaly("trailing-bytes", at, { offset: progress.consumed, had: bytes.length - progress.consumed });
    } else if (progress?.kind === "need" && cut === 0) {
      this.emit.anomaly("message-truncated", at, { needed: progress.need, had: bytes.length });
    }
  }

  end(): void {
    if (this.finished) return;
    this.finished = true;
    this.session?.end();
    this.session = undefined;
  }

  /** What is left to keep of it: a quiet session's state, or nothing, as nothing more is looked at. Undefined: all of it. */
  park(): Quiet | "done" | undefined {
    const parked = this.session?.park?.();
    if (this.stopped === BOTH && (!this.session || (parked && !parked.waits))) return "done";
    return this.decoder && parked && this.stopped === 0 ? { decoder: this.decoder, parked } : undefined;
  }
  /** Goes on where it was parked. */
  resume({ decoder, parked }: Quiet): void {
    this.decoder = decoder;
    this.session = decoder.open(this.flow.view(), this.emit, this.settings, parked);
  }

  private find(side: number, bytes: Uint8Array): boolean {
    const best = probe(this.flow, side, bytes);
    if (best && (best.verdict.sure === "certain" || best.hinted)) {
      orient(this.flow, best);
      this.flow.found(best.decoder.name);
      this.resume({ decoder: best.decoder, parked: NOTHING });
      return true;
    }
    this.probed ??= { datagrams: [0, 0], bytes: [0, 0], before: ["", ""] };
    const { datagrams, bytes: seen, before } = this.probed;
    if (this.flow.protocols.length === 0) {
      const known = signature("udp", bytes, this.flow.port(0), this.flow.port(1), before[side]);
      if (known) this.flow.found(known);
      before[side] = beginning(bytes);
    }
    datagrams[side]++;
    seen[side] += bytes.length;
    if (this.flow.protocols.length || datagrams[side] >= PROBE_DATAGRAMS || seen[side] >= PROBE_BYTES) this.stop(side);
    return false;
  }

  private stop(side: number): void {
    this.stopped |= 1 << side;
    this.tellSkip(this.flow, side, true, 0);
  }
}
