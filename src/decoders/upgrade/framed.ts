/** Protocols of framed messages that can turn to TLS: LDAP (RFC 4511 §4.14), MySQL, PostgreSQL, RDP (MS-RDPBCGR §5.4.5). */
import { latin1 } from "../../records/text.js";
import { type Decoder, NO, onPort, type Side, UNSURE, type Verdict } from "../contract.js";
import { type Step, tlsBegins, Upgrade } from "./session.js";

const be32 = (b: Uint8Array, at: number): number => ((b[at] << 24) | (b[at + 1] << 16) | (b[at + 2] << 8) | b[at + 3]) >>> 0;

/** Messages by their length; TLS can begin behind each. */
class Framed extends Upgrade {
  private readonly protocol: keyof typeof MESSAGES;
  constructor(protocol: keyof typeof MESSAGES) {
    super();
    this.protocol = protocol;
  }
  protected follow(side: Side, b: Uint8Array): Step {
    const tls = tlsBegins(b);
    if (tls === undefined) return { more: 6 };
    return tls ? { handover: 0 } : MESSAGES[this.protocol](b, side);
  }
}

/** A BER SEQUENCE (X.690 §8.1): tag, length, content. */
function ber(b: Uint8Array): Step {
  if (b[0] !== 0x30) return "stop";
  if (b.length < 2) return { more: 2 };
  if (b[1] < 0x80) return { length: 2 + b[1] };
  const bytes = b[1] & 0x7f;
  if (bytes === 0 || bytes > 4) return "stop";
  if (b.length < 2 + bytes) return { more: 2 + bytes };
  let n = 0;
  for (let i = 0; i < bytes; i++) n = n * 256 + b[2 + i];
  return { length: 2 + bytes + n };
}
/** LDAPMessage ::= SEQUENCE { messageID INTEGER, protocolOp [APPLICATION n] … } */
function ldapProbe(b: Uint8Array): Verdict {
  if (b[0] !== 0x30) return NO;
  const size = ber(b.subarray(0, 6));
  if (size === "stop") return NO;
  const head = b[1] >= 0x80 ? 2 + (b[1] & 0x7f) : 2;
  if (b.length < head + 3) return UNSURE;
  if (b[head] !== 2 || b[head + 1] < 1 || b[head + 1] > 4) return NO;
  const op = b[head + 2 + b[head + 1]];
  if (op === undefined) return UNSURE;
  if ([0x60, 0x63, 0x66, 0x68, 0x4a, 0x6c, 0x6e, 0x77].includes(op)) return { sure: "certain", from: "client" };
  return [0x61, 0x64, 0x65, 0x73, 0x78, 0x67, 0x69, 0x6b, 0x6d, 0x6f].includes(op) ? { sure: "certain", from: "server" } : NO;
}

/** MySQL packets: three bytes of length, a sequence number, the payload. */
function mysqlPacket(b: Uint8Array): Step {
  if (b.length < 4) return { more: 4 };
  return { length: 4 + (b[0] | (b[1] << 8) | (b[2] << 16)) };
}
/** The greeting (protocol 10): version number and text. */
function mysqlProbe(b: Uint8Array): Verdict {
  const text = latin1(b, 0, 16);
  if (b.length < 10) return b.length < 5 || (b[3] === 0 && b[4] === 10) ? UNSURE : NO;
  return b[2] === 0 && b[3] === 0 && b[4] === 10 && /^[0-9]{1,2}\.[0-9]+\./.test(text.slice(5)) ? { sure: "certain", from: "server" } : NO;
}

const SSL_REQUEST = 80877103;
const GSS_REQUEST = 80877104;
const STARTUP = 0x00030000;
/** SSLRequest and its answer of one byte; anything else is PostgreSQL in clear. */
function postgresqlMessage(b: Uint8Array, side: Side): Step {
  if (side === 1) return b[0] === 0x53 || b[0] === 0x4e || b[0] === 0x47 ? { length: 1 } : "stop";
  if (b.length < 8) return { more: 8 };
  return be32(b, 0) === 8 && (be32(b, 4) === SSL_REQUEST || be32(b, 4) === GSS_REQUEST) ? { length: 8 } : "stop";
}
function postgresqlProbe(b: Uint8Array): Verdict {
  if (b[0] !== 0) return NO;
  if (b.length < 8) return UNSURE;
  const code = be32(b, 4);
  const request = be32(b, 0) === 8 && (code === SSL_REQUEST || code === GSS_REQUEST);
  return request || (code === STARTUP && be32(b, 0) < 10000) ? { sure: "certain", from: "client" } : NO;
}

/** TPKT (RFC 1006 §6). */
function tpkt(b: Uint8Array): Step {
  if (b[0] !== 3) return "stop";
  if (b.length < 4) return { more: 4 };
  const n = (b[2] << 8) | b[3];
  return n < 7 ? "stop" : { length: n };
}
/** What stands behind the fixed part: a cookie or routing token, a negotiation request or its answer. Others have parameters of X.224 there. */
const RDP_NEXT = ["C".charCodeAt(0), "t".charCodeAt(0), 1, 2, 3];
/** X.224 connection request or confirm in a TPKT (MS-RDPBCGR §2.2.1.1, §2.2.1.2). */
function rdpProbe(b: Uint8Array, hinted: boolean): Verdict {
  if (b[0] !== 3 || (b.length > 1 && b[1] !== 0)) return NO;
  if (b.length < 11) return UNSURE;
  if (b[2] !== 0 || b[4] + 5 !== b[3] || (b[5] !== 0xe0 && b[5] !== 0xd0)) return NO;
  if (b[3] === 11 ? !hinted : b.length > 11 && !RDP_NEXT.includes(b[11])) return NO;
  return b.length === 11 && b[3] > 11 ? UNSURE : { sure: "certain", from: b[5] === 0xe0 ? "client" : "server" };
}

/** The length of the message at the beginning of the bytes. */
const MESSAGES = { ldap: ber, mysql: mysqlPacket, postgresql: postgresqlMessage, rdp: tpkt };

const upgrade = (name: keyof typeof MESSAGES, ports: readonly number[], probe: (b: Uint8Array, hinted: boolean) => Verdict): Decoder => ({
  name,
  transports: ["tcp"],
  ports,
  datasets: [],
  anomalies: {},
  probe: (b, view) => probe(b, onPort(ports, view)),
  open: () => new Framed(name),
  state: [Framed],
});

export const framedUpgrades: readonly Decoder[] = [
  upgrade("ldap", [389, 3268], ldapProbe),
  upgrade("mysql", [3306], mysqlProbe),
  upgrade("postgresql", [5432], postgresqlProbe),
  upgrade("rdp", [3389], rdpProbe),
];
