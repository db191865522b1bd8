/** Which compression bytes begin with. */
export type Compression = "gzip" | "zstd";

const GZIP = Buffer.from([0x1f, 0x8b]);
const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

export function compressionOf(head: Buffer): Compression | undefined {
  if (head.subarray(0, 2).equals(GZIP)) return "gzip";
  if (head.subarray(0, 4).equals(ZSTD)) return "zstd";
  return undefined;
}
