/** Bytes → identification string and key exchange messages (RFC 4253 §4.2, §6, §7). Pure. */
import { hash } from "node:crypto";
import { latin1 } from "../../records/text.js";
import { Cursor } from "../cursor.js";
import { Memo } from "../memo.js";

export interface Kexinit {
  kex: string[];
  hostKey: string[];
  /** [client to server, server to client] */
  cipher: [string[], string[]];
  mac: [string[], string[]];
  compression: [string[], string[]];
  firstFollows: boolean;
  /** md5 of kex;cipher;mac;compression in one direction (HASSH). */
  hassh: [string, string];
}

const list = (s: string): string[] => (s ? s.split(",") : []);
const COOKIE_BYTES = 16;
/** Behind the cookie, programs of a kind say the same each time. */
const offers = new Memo<Kexinit | null>(256);

/** KEXINIT behind its message number. Undefined: a name-list does not fit. One that was seen lately is the same object. */
export function kexinit(payload: Uint8Array): Kexinit | undefined {
  return offers.get(latin1(payload, COOKIE_BYTES), () => offer(payload) ?? null) ?? undefined;
}

function offer(payload: Uint8Array): Kexinit | undefined {
  const c = new Cursor(payload);
  c.skip(COOKIE_BYTES);
  const names: string[] = [];
  for (let i = 0; i < 10; i++) names.push(latin1(c.take(c.u32())));
  const firstFollows = c.u8() !== 0;
  if (c.bad) return undefined;
  const md5 = (direction: 0 | 1): string =>
    hash("md5", Buffer.from([names[0], names[2 + direction], names[4 + direction], names[6 + direction]].join(";"), "latin1"));
  return {
    kex: list(names[0]),
    hostKey: list(names[1]),
    cipher: [list(names[2]), list(names[3])],
    mac: [list(names[4]), list(names[5])],
    compression: [list(names[6]), list(names[7])],
    firstFollows,
    hassh: [md5(0), md5(1)],
  };
}

/** The first of the client's that the server has too (RFC 4253 §7.1). */
export const agreed = (client: readonly string[], server: readonly string[]): string | undefined => client.find((n) => server.includes(n));

/** The host key blob of a key exchange reply, where it has the form of a public key. */
export function hostKey(payload: Uint8Array): { sha256: string; type: string } | undefined {
  const c = new Cursor(payload);
  const blob = c.sub(c.u32());
  if (c.bad || blob.left < 8) return undefined;
  const bytes = blob.bytes;
  const type = latin1(blob.take(blob.u32()));
  if (blob.bad || !/^[a-z0-9@.-]{3,64}$/i.test(type)) return undefined;
  return { sha256: hash("sha256", bytes, "base64").replace(/=+$/, ""), type };
}
