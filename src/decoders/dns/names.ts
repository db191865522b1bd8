/** Domain names in a message: compression (RFC 1035 §4.1.4), and their text form (SEMANTICS 34). */
const MAX_NAME = 255;
const MAX_JUMPS = 64;
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export interface NameReader {
  readonly bytes: Uint8Array;
  pos: number;
  /** What went wrong, by anomaly name. */
  wrong: string | undefined;
}

/** Text of one label: A–Z lowered, `\.` and `\\`, printable ASCII and valid UTF-8 above U+009F literal, other bytes `\DDD`. */
function label(b: Uint8Array, from: number, to: number): string {
  let s = "";
  let high = false;
  for (let i = from; i < to; i++) {
    const c = b[i];
    if (c >= 0x41 && c <= 0x5a) s += String.fromCharCode(c + 32);
    else if (c === 0x2e) s += "\\.";
    else if (c === 0x5c) s += "\\\\";
    else if (c >= 0x20 && c <= 0x7e) s += String.fromCharCode(c);
    else {
      if (c >= 0x80) high = true;
      s += `\\${String(c).padStart(3, "0")}`;
    }
  }
  if (!high) return s;
  try {
    const text = strict.decode(b.subarray(from, to));
    let out = "";
    for (const ch of text) {
      const code = ch.codePointAt(0) ?? 0;
      if (code < 0x80) out += label(Uint8Array.of(code), 0, 1);
      else if (code <= 0x9f) for (const byte of Buffer.from(ch)) out += `\\${String(byte).padStart(3, "0")}`;
      else out += ch;
    }
    return out;
  } catch {
    return s;
  }
}

/** Reads a name at `r.pos` and moves behind it. The root is `.`. On error `r.wrong` is set and what could be read comes back. */
export function readName(r: NameReader): string {
  const b = r.bytes;
  let pos = r.pos;
  let after = -1;
  let jumps = 0;
  let size = 0;
  let text = "";
  for (;;) {
    if (pos >= b.length) {
      r.wrong ??= "dns-name-truncated";
      break;
    }
    const n = b[pos];
    if (n === 0) {
      pos++;
      break;
    }
    if ((n & 0xc0) === 0xc0) {
      if (pos + 1 >= b.length) {
        r.wrong ??= "dns-name-truncated";
        pos = b.length;
        break;
      }
      const target = ((n & 0x3f) << 8) | b[pos + 1];
      if (after < 0) after = pos + 2;
      if (++jumps > MAX_JUMPS || target >= pos) {
        r.wrong ??= target >= pos && jumps <= MAX_JUMPS ? "dns-pointer-forward" : "dns-pointer-loop";
        break;
      }
      pos = target;
      continue;
    }
    if (n & 0xc0) {
      r.wrong ??= "dns-label-invalid";
      pos++;
      break;
    }
    size += n + 1;
    if (size > MAX_NAME) {
      r.wrong ??= "dns-name-too-long";
      break;
    }
    if (pos + 1 + n > b.length) {
      r.wrong ??= "dns-name-truncated";
      pos = b.length;
      break;
    }
    text += text ? `.${label(b, pos + 1, pos + 1 + n)}` : label(b, pos + 1, pos + 1 + n);
    pos += 1 + n;
  }
  r.pos = after >= 0 ? after : pos;
  return text || ".";
}
