/** The PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt, §2): a head before a client's first bytes tells whom a proxy speaks for. */
import { latin1 } from "../../records/text.js";
import { type Decoder, NO, type Side, UNSURE, type Verdict } from "../contract.js";
import { type Step, Upgrade } from "./session.js";

const V1 = "PROXY ";
/** The longest line of version 1, with its end. */
const MAX_V1 = 107;
const V2 = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
/** Version and command, family, length. */
const HEAD_V2 = V2.length + 4;

/** Bytes of the head; 0: more are needed to tell; -1: it is none. */
function headBytes(b: Uint8Array): number {
  const n = Math.min(b.length, V2.length);
  if (V2.subarray(0, n).equals(b.subarray(0, n))) {
    if (b.length < HEAD_V2) return b.length > 12 && b[12] >> 4 !== 2 ? -1 : 0;
    return b[12] === 0x20 || b[12] === 0x21 ? HEAD_V2 + ((b[14] << 8) | b[15]) : -1;
  }
  const text = latin1(b, 0, MAX_V1);
  if (!text.startsWith(V1.slice(0, text.length))) return -1;
  const end = text.indexOf("\r\n");
  if (end < 0) return text.length < MAX_V1 ? 0 : -1;
  return /^PROXY (UNKNOWN|TCP[46] [0-9A-Fa-f.:]+ [0-9A-Fa-f.:]+ \d{1,5} \d{1,5})/.test(text.slice(0, end)) ? end + 2 : -1;
}

class ProxyHead extends Upgrade {
  protected follow(side: Side, b: Uint8Array): Step {
    if (side === 1) return { handover: 0 }; // the server answers as if nobody stood between
    const n = headBytes(b);
    if (n < 0) return "stop";
    return n === 0 || b.length < n ? { more: Math.max(n, b.length + 1) } : { handover: n };
  }
}

function probe(b: Uint8Array): Verdict {
  const n = headBytes(b);
  if (n < 0) return NO;
  return n === 0 ? UNSURE : { sure: "certain", from: "client" };
}

export const proxy: Decoder = {
  name: "proxy",
  transports: ["tcp"],
  ports: [],
  datasets: [],
  anomalies: {},
  probe,
  open: () => new ProxyHead(),
  state: [ProxyHead],
};
