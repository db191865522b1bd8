/** Protocols of lines with a STARTTLS command: SMTP (RFC 3207), FTP (RFC 4217), IMAP and POP3 (RFC 2595); XMPP (RFC 6120 §5). */
import { latin1 } from "../../records/text.js";
import { type Decoder, NO, onPort, type Side, UNSURE, type Verdict } from "../contract.js";
import { type Step, tlsBegins, Upgrade } from "./session.js";

const LF = 10;
const GREATER = 62;
/** A first line longer than this is none of these. */
const MAX_FIRST = 512;

/** Text up to each `mark` byte; TLS can begin behind one. */
class Lines extends Upgrade {
  private readonly inside = [false, false];
  private readonly mark: number;
  constructor(mark: number) {
    super();
    this.mark = mark;
  }
  protected follow(side: Side, b: Uint8Array): Step {
    if (!this.inside[side]) {
      const tls = tlsBegins(b);
      if (tls === undefined) return { more: 6 };
      if (tls) return { handover: 0 };
    }
    const stop = b.indexOf(this.mark);
    this.inside[side] = stop < 0;
    return { length: stop < 0 ? b.length : stop + 1 };
  }
}

interface Talk {
  name: string;
  ports: readonly number[];
  /** First lines of either side, and who says them. `hinted`: only where a port fits. */
  first: readonly { line: RegExp; from: "client" | "server"; hinted?: boolean }[];
  end?: number;
}

const TALKS: readonly Talk[] = [
  {
    name: "smtp",
    ports: [25, 587, 2525],
    first: [
      { line: /^220[ -].*E?SMTP/i, from: "server" },
      { line: /^(EHLO|HELO|LHLO) /i, from: "client" },
      { line: /^220[ -]/, from: "server", hinted: true },
    ],
  },
  {
    name: "ftp",
    ports: [21],
    first: [
      { line: /^220[ -].*FTP/i, from: "server" },
      { line: /^220[ -]/, from: "server", hinted: true },
      { line: /^(USER |AUTH )/i, from: "client", hinted: true },
    ],
  },
  { name: "imap", ports: [143], first: [{ line: /^\* (OK|PREAUTH|BYE) /, from: "server" }] },
  {
    name: "pop3",
    ports: [110],
    first: [
      { line: /^\+OK [^\r\n]/, from: "server" },
      { line: /^\+OK *\r?\n/, from: "server", hinted: true }, // Redis says the same
    ],
  },
  {
    name: "xmpp",
    ports: [5222, 5269],
    end: GREATER,
    first: [
      { line: /^(<\?xml[^>]*>\s*)?<stream:stream [^>]*to=/, from: "client" },
      { line: /^(<\?xml[^>]*>\s*)?<stream:stream [^>]*from=/, from: "server" },
    ],
  },
];

function judge(t: Talk, b: Uint8Array, hinted: boolean): Verdict {
  const text = latin1(b, 0, MAX_FIRST);
  const begins = /^[\x20-\x7e\r\n\t]/.test(text);
  if (!begins) return NO;
  const whole =
    t.end === GREATER ? text.includes("<stream:stream") && text.lastIndexOf(">") > text.indexOf("<stream:stream") : text.includes("\n");
  if (!whole) return text.length < MAX_FIRST && hinted && /^[\x20-\x7e\r\n\t]*$/.test(text) ? UNSURE : NO;
  for (const f of t.first) if ((!f.hinted || hinted) && f.line.test(text)) return { sure: "certain", from: f.from };
  return NO;
}

export const textUpgrades: readonly Decoder[] = TALKS.map((t) => ({
  name: t.name,
  transports: ["tcp"],
  ports: t.ports,
  datasets: [],
  anomalies: {},
  probe: (b, view) => judge(t, b, onPort(t.ports, view)),
  open: () => new Lines(t.end ?? LF),
  state: [Lines],
}));
