/**
 * Protocols that give their connection to another one: STARTTLS in its many forms, and proxies. They emit no records; each side is followed
 * message by message up to the place where the other protocol begins, and is handed over there.
 */
import { ok, type Progress, type Session, type Side, stop } from "../contract.js";

/** Bytes of one side that are followed: who upgrades does so at the beginning. */
const MAX_FOLLOWED = 64 * 1024;

/**
 * What stands at the beginning of `b`, which is a message's first byte: its length; `more`: bytes that must stand there to tell; `handover`:
 * the other protocol begins behind `after` bytes; `stop`: no upgrade will come.
 */
export type Step = { length: number } | { more: number } | { handover: number } | "stop";

/** A TLS handshake record that begins with a hello (RFC 8446 §5.1); undefined: too short to tell. */
export function tlsBegins(b: Uint8Array): boolean | undefined {
  if (b[0] !== 0x16) return false;
  if (b.length < 6) return undefined;
  return b[1] === 3 && b[2] <= 4 && (b[5] === 1 || b[5] === 2);
}

export abstract class Upgrade implements Session {
  private readonly followed = [0, 0];
  /** Bytes of the message at hand that have not come yet. */
  private readonly rest = [0, 0];
  protected abstract follow(side: Side, b: Uint8Array): Step;
  data(side: Side, b: Uint8Array): Progress {
    let at = Math.min(this.rest[side], b.length);
    this.rest[side] -= at;
    while (at < b.length) {
      if (this.followed[side] + at > MAX_FOLLOWED) return stop("finished");
      const s = this.follow(side, at ? b.subarray(at) : b);
      if (s === "stop") return stop("finished");
      if ("handover" in s) return { kind: "handover", consumed: at + s.handover };
      if ("more" in s) {
        this.followed[side] += at;
        return { kind: "need", consumed: at, need: s.more };
      }
      const here = Math.min(s.length, b.length - at);
      this.rest[side] = s.length - here;
      at += here;
    }
    this.followed[side] += at;
    return ok(at);
  }
  gap(): "stop" {
    return "stop";
  }
  skipped(): void {}
  end(): void {}
}
