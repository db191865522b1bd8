/** DNS over UDP and TCP, mDNS, LLMNR. */
import { latin1 } from "../../records/text.js";
import {
  type At,
  type Decoder,
  type Emit,
  type FlowView,
  type Locate,
  NO,
  NOTHING,
  need,
  ok,
  onPort,
  type Parked,
  type Progress,
  type Session,
  type Side,
  stop,
  type Verdict,
} from "../contract.js";
import { type Message, parse } from "./parse.js";
import { Transactions } from "./state.js";

const PORTS = [53, 5353, 5355];
const MDNS = 5353;
const NETBIOS = 137;

/** A length and a header. */
const LEAST_TCP = 14;

/** Where the bytes of the next packet begin, or the end. */
function nextPacket(at: Locate, from: number, end: number): number {
  const { packet } = at(from);
  let to = from + 1;
  while (to < end && at(to).packet === packet) to++;
  return to;
}

/** A header that makes sense: known opcode, small counts, the reserved bit mostly zero. */
function plausible(b: Uint8Array): boolean {
  const opcode = (b[2] >> 3) & 15;
  const response = (b[2] & 0x80) !== 0;
  const questions = (b[4] << 8) | b[5];
  const answers = (b[6] << 8) | b[7];
  const rest = ((b[8] << 8) | b[9]) + ((b[10] << 8) | b[11]);
  if (opcode > 6 || questions > 16 || answers > 4096 || rest > 8192) return false;
  return response || answers <= 64 ? questions + answers + rest > 0 : false;
}

function judge(b: Uint8Array, hinted: boolean): Verdict {
  if (b.length < 12) return NO;
  const from = b[2] & 0x80 ? "server" : "client";
  if (!plausible(b)) return hinted && ((b[2] >> 3) & 15) <= 6 ? { sure: "unsure", from } : NO;
  const m = parse(b, false) as Message;
  if (!m.truncated && m.anomalies.length === 0 && m.questions.length && m.size === b.length && m.questions.every(known))
    return { sure: "certain", from };
  return hinted ? { sure: "unsure", from } : NO;
}
const known = (q: { type: number; class: number }): boolean =>
  q.type > 0 && q.type < 300 && ((q.class & 0x7fff) <= 4 || q.class === 255 || q.class === 254);

class Dns implements Session {
  private readonly transactions: Transactions;
  private readonly emit: Emit;
  private readonly tcp: boolean;
  private readonly mdns: boolean;
  /** Sides that look for the next message behind a hole. */
  private readonly lost = [false, false];
  constructor(flow: FlowView, emit: Emit, parked: Parked = NOTHING) {
    this.emit = emit;
    this.transactions = new Transactions(emit);
    this.tcp = flow.transport === "tcp";
    this.mdns = flow.serverPort === MDNS || flow.clientPort === MDNS;
    this.transactions.resume(parked, (bytes) => this.read(bytes));
  }

  data(side: Side, bytes: Uint8Array, at: Locate, stream: number): Progress {
    if (!this.tcp) return this.message(side, bytes, at(0), 0) ?? stop("not-this-protocol");
    if (this.lost[side]) {
      const progress = this.resync(bytes, at);
      if (progress) return progress;
      this.lost[side] = false;
    }
    if (bytes.length < 2) return need(0, 2);
    const size = (bytes[0] << 8) | bytes[1]; // RFC 1035 §4.2.2
    if (size < 12) {
      this.emit.anomaly("dns-message-too-short", at(0), { needed: 12, had: size });
      return stop("not-this-protocol");
    }
    if (bytes.length < 2 + size) return need(0, 2 + size);
    this.message(side, bytes.subarray(2, 2 + size), at(0), stream);
    return ok(2 + size);
  }

  private message(side: Side, bytes: Uint8Array, at: At, stream: number): Progress | undefined {
    const m = this.read(bytes);
    if (!m) return this.short(bytes, at);
    if (this.mdns) this.transactions.single(m, side, at, stream);
    else if (m.response) this.transactions.answer(m, side, at, stream);
    else this.transactions.query(m, side, at, stream, this.tcp ? undefined : latin1(bytes));
    return ok(bytes.length);
  }
  private read(bytes: Uint8Array): Message | undefined {
    const m = parse(bytes, this.mdns);
    if (m?.truncated) m.anomalies.push("dns-message-truncated");
    else if (m && m.size < bytes.length) m.anomalies.push("dns-trailing-bytes");
    return m;
  }
  private short(bytes: Uint8Array, at: At): Progress {
    this.emit.anomaly("dns-message-too-short", at, { needed: 12, had: bytes.length });
    return ok(bytes.length);
  }

  /** After a gap nothing tells where the next length stands but that messages mostly begin with a packet. */
  gap(side: Side): "resync" {
    this.lost[side] = true;
    return "resync";
  }
  /** Undefined: a whole message, and nothing but what makes sense in it, stands first. */
  private resync(bytes: Uint8Array, at: Locate): Progress | undefined {
    for (let from = 0; from < bytes.length; from = nextPacket(at, from, bytes.length)) {
      const rest = bytes.subarray(from);
      if (rest.length < LEAST_TCP) return need(from, LEAST_TCP);
      const size = (rest[0] << 8) | rest[1];
      if (size < 12 || !plausible(rest.subarray(2))) continue;
      if (rest.length < 2 + size) return need(from, 2 + size);
      if (judge(rest.subarray(2, 2 + size), false).sure === "certain") return from === 0 ? undefined : ok(from);
    }
    return ok(bytes.length);
  }
  skipped(): void {}
  end(): void {
    this.transactions.end();
  }
  park(): Parked | undefined {
    return this.transactions.park();
  }
}

export const dns: Decoder = {
  name: "dns",
  transports: ["udp", "tcp"],
  ports: PORTS,
  datasets: ["dns"],
  anomalies: {
    "dns-pointer-loop": "Compression pointers of a name lead in a circle, or there are more than 64.",
    "dns-pointer-forward": "A compression pointer does not point backwards.",
    "dns-name-truncated": "The message ends inside a name.",
    "dns-name-too-long": "A name is longer than 255 bytes.",
    "dns-label-invalid": "A label begins with the bits 01 or 10.",
    "dns-message-too-short": "Fewer bytes than a DNS header needs.",
    "dns-message-truncated": "The message ends before its counts are satisfied.",
    "dns-trailing-bytes": "Bytes follow the last record of the message.",
    "dns-rdata-malformed": "Record data does not parse as its type; it stands in RFC 3597 form.",
    "dns-too-many-records": "More than 512 records in a section: the rest was left out.",
    "dns-answer-repeated": "Another answer to a question that was answered already.",
    "dns-waiting-limit": "More than 4,096 unanswered queries in one flow.",
  },
  probe(bytes, view) {
    if (view.clientPort === NETBIOS || view.serverPort === NETBIOS) return NO; // the name service of RFC 1002 has the same header
    const hinted = onPort(PORTS, view);
    if (view.transport === "udp") {
      const verdict = judge(bytes, hinted);
      // Multicast DNS has no client: who sends is the source, of answers too (RFC 6762 §6).
      return view.clientPort === MDNS && view.serverPort === MDNS ? { sure: verdict.sure } : verdict;
    }
    if (bytes.length < LEAST_TCP) return hinted && bytes.length > 0 ? { sure: "unsure" } : NO;
    const size = (bytes[0] << 8) | bytes[1];
    if (size < 12) return NO;
    if (bytes.length >= 2 + size) return judge(bytes.subarray(2, 2 + size), hinted);
    return hinted && plausible(bytes.subarray(2)) ? { sure: "unsure", from: bytes[4] & 0x80 ? "server" : "client" } : NO;
  },
  open: (flow, emit, _settings, parked) => new Dns(flow, emit, parked),
  state: [Dns, Transactions],
};
