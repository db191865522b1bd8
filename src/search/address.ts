/** Addresses in questions: one, a CIDR block or `10.1.*`, as a range of 32 hex digits (IPv4 as ::ffff:a.b.c.d). */
export interface AddressRange {
  from: string;
  to: string;
}

function bytesOf(text: string): number[] | undefined {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) {
    const parts = text.split(".").map(Number);
    return parts.every((p) => p <= 255) ? [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...parts] : undefined;
  }
  const v4 = /^(.*:)(\d{1,3}(?:\.\d{1,3}){3})$/.exec(text);
  if (v4) {
    const low = bytesOf(v4[2]);
    return low && bytesOf(`${v4[1]}${((low[12] << 8) | low[13]).toString(16)}:${((low[14] << 8) | low[15]).toString(16)}`);
  }
  if (!/^[0-9a-f:]+$/i.test(text) || !text.includes(":")) return undefined;
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const words = (s: string): string[] => (s === "" ? [] : s.split(":"));
  const left = words(halves[0]);
  const right = halves.length === 2 ? words(halves[1]) : [];
  const missing = 8 - left.length - right.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...left, ...Array(missing).fill("0"), ...right];
  if (all.some((w) => !/^[0-9a-f]{1,4}$/i.test(w))) return undefined;
  return all.flatMap((w) => [Number.parseInt(w, 16) >> 8, Number.parseInt(w, 16) & 255]);
}
const hex = (b: readonly number[]): string => b.map((x) => x.toString(16).padStart(2, "0")).join("");

/** Undefined: no address. */
export function addressRange(text: string): AddressRange | undefined {
  const star = /^((?:\d{1,3}\.){1,3})\*$/.exec(text);
  if (star) {
    const given = star[1].split(".").filter(Boolean);
    return addressRange(`${[...given, ...Array(4 - given.length).fill("0")].join(".")}/${given.length * 8}`);
  }
  const [address, length] = text.split("/");
  const bytes = bytesOf(address);
  if (!bytes) return undefined;
  const four = !address.includes(":");
  if (length === undefined) return { from: hex(bytes), to: hex(bytes) };
  if (!/^\d{1,3}$/.test(length) || Number(length) > (four ? 32 : 128)) return undefined;
  const bits = Number(length) + (four ? 96 : 0);
  const mask = (b: number, i: number, high: boolean): number => {
    const keep = Math.min(8, Math.max(0, bits - i * 8));
    const m = (0xff << (8 - keep)) & 0xff;
    return high ? b | (~m & 0xff) : b & m;
  };
  return { from: hex(bytes.map((b, i) => mask(b, i, false))), to: hex(bytes.map((b, i) => mask(b, i, true))) };
}
