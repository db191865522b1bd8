/** Strings from the wire: valid UTF-8, bounded, and what was cut or escaped is told. */

/** What was done to a string, for the record's anomalies. */
export const TEXT_ANOMALIES: Readonly<Record<string, string>> = {
  "text-escaped": "Bytes that are no UTF-8 stand as \\xHH in a text field.",
  "text-cut": "A text field was longer than its limit and was cut.",
};

export class TextNotes {
  escaped = false;
  cut = false;
  names(): string[] {
    const out: string[] = [];
    if (this.cut) out.push("text-cut");
    if (this.escaped) out.push("text-escaped");
    return out;
  }
}

/** Bytes as text without a Buffer made for it: Node's own methods take any view. `to` past the end is the end. */
const latin1Slice = Buffer.prototype.latin1Slice;
const hexSlice = Buffer.prototype.hexSlice;
export const latin1 = (b: Uint8Array, from = 0, to: number = b.length): string =>
  latin1Slice.call(b as Buffer, from, Math.min(to, b.length));
export const hexText = (b: Uint8Array, from = 0, to: number = b.length): string => hexSlice.call(b as Buffer, from, Math.min(to, b.length));

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const HEX = "0123456789ABCDEF";

/** Neither NUL nor DEL, nor anything from 0x80 on. */
export function isAscii(bytes: Uint8Array, from = 0, to: number = bytes.length): boolean {
  for (let i = from; i < to; i++) if (bytes[i] > 0x7e || bytes[i] === 0) return false;
  return true;
}

/** Text of wire bytes: UTF-8 where it is, else each byte from 0x80 on as `\xHH`; NUL as `\0`; cut at `max` bytes of UTF-8. */
export function wireText(bytes: Uint8Array, max: number, notes: TextNotes): string {
  let b = bytes;
  if (b.length > max) {
    b = b.subarray(0, max);
    notes.cut = true;
    if (!isAscii(b)) b = trimPartial(b);
  }
  if (isAscii(b)) return latin1(b);
  let text: string;
  try {
    text = strict.decode(b);
  } catch {
    notes.escaped = true;
    text = "";
    for (const byte of b) text += byte >= 0x80 ? `\\x${HEX[byte >> 4]}${HEX[byte & 15]}` : String.fromCharCode(byte);
    if (text.length > max) {
      text = text.slice(0, max);
      notes.cut = true;
    }
  }
  return text.includes("\0") ? cutText(text.replaceAll("\0", "\\0"), max, notes) : text;
}

function trimPartial(b: Uint8Array): Uint8Array {
  let n = b.length;
  for (let i = 1; i <= 3 && i <= n; i++) {
    const c = b[n - i];
    if ((c & 0xc0) === 0x80) continue;
    const size = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
    if (size > i) n -= i;
    break;
  }
  return b.subarray(0, n);
}

/** Cuts a string at `max` bytes of UTF-8, between characters; `notes` learns of it. */
export function cutText(text: string, max: number, notes?: TextNotes): string {
  if (text.length * 3 <= max) return text;
  if (Buffer.byteLength(text) <= max) return text;
  if (notes) notes.cut = true;
  return Buffer.from(trimPartial(Buffer.from(text).subarray(0, max))).toString();
}

/** `00-00-5E-00-53-23`, from six bytes. */
export function macText(b: Uint8Array): string {
  let s = "";
  for (let i = 0; i < b.length; i++) s += `${i ? "-" : ""}${HEX[b[i] >> 4]}${HEX[b[i] & 15]}`;
  return s;
}

/** Address text from 4 or 16 bytes (RFC 5952). */
export function ipText(b: Uint8Array): string {
  if (b.length === 4) return `${b[0]}.${b[1]}.${b[2]}.${b[3]}`;
  const words: number[] = [];
  for (let i = 0; i < 16; i += 2) words.push((b[i] << 8) | b[i + 1]);
  let best = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let j = i;
    while (j < 8 && words[j] === 0) j++;
    if (j - i > bestLength) {
      best = i;
      bestLength = j - i;
    }
  }
  if (best === 0 && bestLength === 5 && words[5] === 0xffff) return `::ffff:${b[12]}.${b[13]}.${b[14]}.${b[15]}`;
  const hex = (from: number, to: number): string =>
    words
      .slice(from, to)
      .map((w) => w.toString(16))
      .join(":");
  return best < 0 ? hex(0, 8) : `${hex(0, best)}::${hex(best + bestLength, 8)}`;
}
