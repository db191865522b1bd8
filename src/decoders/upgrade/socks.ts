/** SOCKS 4, 4a and 5 (RFC 1928, 1929): behind the replies the connection is the proxied one. */
import { latin1 } from "../../records/text.js";
import { type Decoder, NO, onPort, type Side, UNSURE, type Verdict } from "../contract.js";
import { type Step, Upgrade } from "./session.js";

const NUL = 0;
const USER_PASSWORD = 2;

/** Bytes of an address and its port behind the address type at `at`; 0: more bytes are needed; -1: no such type. */
function addressBytes(b: Uint8Array, at: number): number {
  if (b.length <= at) return 0;
  if (b[at] === 1) return 1 + 4 + 2;
  if (b[at] === 4) return 1 + 16 + 2;
  if (b[at] !== 3) return -1;
  return b.length <= at + 1 ? 0 : 2 + b[at + 1] + 2;
}
/** Request and reply of version 5: version, command or status, 0, address, port. */
function last(b: Uint8Array): Step {
  const address = addressBytes(b, 3);
  if (address < 0) return "stop";
  const whole = address ? 3 + address : 5;
  return b.length < whole || address === 0 ? { more: whole } : { handover: whole };
}

/** Version 4a: a name stands behind the user. */
const named4 = (b: Uint8Array): boolean => b[4] === 0 && b[5] === 0 && b[6] === 0 && b[7] !== 0;

class Socks extends Upgrade {
  private readonly greeted = [false, false];

  protected follow(side: Side, b: Uint8Array): Step {
    return side === 0 ? this.client(b) : this.server(b);
  }
  private client(b: Uint8Array): Step {
    if (b[0] === 4) return this.request4(b);
    if (b[0] === 1 && this.greeted[0]) {
      if (b.length < 2) return { more: 2 };
      const user = 2 + b[1];
      if (b.length <= user) return { more: user + 1 };
      return { length: user + 1 + b[user] };
    }
    if (b[0] !== 5) return "stop";
    if (this.greeted[0]) return b[1] === 1 || b.length < 2 ? last(b) : "stop";
    if (b.length < 2) return { more: 2 };
    this.greeted[0] = true;
    return { length: 2 + b[1] };
  }
  private server(b: Uint8Array): Step {
    if (b[0] === 0) return b.length < 8 ? { more: 8 } : b[1] === 90 ? { handover: 8 } : "stop";
    if (b.length < 2) return { more: 2 };
    if (b[0] === 1) return b[1] === 0 ? { length: 2 } : "stop";
    if (b[0] !== 5) return "stop";
    if (this.greeted[1]) return b[1] === 0 ? last(b) : "stop";
    this.greeted[1] = true;
    return b[1] === 0 || b[1] === USER_PASSWORD ? { length: 2 } : "stop";
  }
  /** Version, command, port, address, user, NUL; where the address is 0.0.0.x also a name, NUL. */
  private request4(b: Uint8Array): Step {
    const user = b.indexOf(NUL, 8);
    if (b.length < 9 || user < 0) return b.length > 512 ? "stop" : { more: b.length + 1 };
    const end = named4(b) ? b.indexOf(NUL, user + 1) : user;
    if (end < 0) return b.length > 1024 ? "stop" : { more: b.length + 1 };
    return b[1] === 1 ? { handover: end + 1 } : "stop";
  }
}

function probe(b: Uint8Array, hinted: boolean): Verdict {
  if (b[0] === 5) {
    if (b.length < 2 || b.length < 2 + b[1]) return hinted || b.length < 4 ? UNSURE : NO;
    const methods = b.subarray(2, 2 + b[1]);
    if (b[1] < 1 || b[1] > 10 || methods.some((m) => m > 9 && m < 0x80)) return NO;
    const next = b[2 + b[1]];
    return next === undefined || next === 5 || next === 1 ? { sure: "certain", from: "client" } : NO;
  }
  if (b[0] !== 4 || (b.length > 1 && b[1] !== 1 && b[1] !== 2)) return NO;
  if (b.length < 9) return hinted ? UNSURE : NO;
  const user = b.indexOf(NUL, 8);
  if (user < 0 || user > 64) return NO;
  if (hinted) return { sure: "certain", from: "client" };
  // Others begin with these two bytes too. Here nothing follows a request that was not answered.
  const end = named4(b) ? b.indexOf(NUL, user + 1) : user;
  const right = end === b.length - 1 && /^[\x21-\x7e]*(\0[\x21-\x7e]+)?$/.test(latin1(b, 8, end));
  return right ? { sure: "certain", from: "client" } : NO;
}

const PORTS = [1080, 9050, 9150];
export const socks: Decoder = {
  name: "socks",
  transports: ["tcp"],
  ports: PORTS,
  datasets: [],
  anomalies: {},
  probe: (b, view) => probe(b, onPort(PORTS, view)),
  open: () => new Socks(),
  state: [Socks],
};
