/** The type that a body's first bytes tell (the idea of the WHATWG MIME sniffing tables); undefined where they tell nothing. */
import { latin1 } from "../../records/text.js";

const MAGIC: readonly [string, string][] = [
  ["\x1f\x8b", "application/gzip"],
  ["PK\x03\x04", "application/zip"],
  ["PK\x05\x06", "application/zip"],
  ["Rar!\x1a\x07", "application/vnd.rar"],
  ["7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"],
  ["\xfd7zXZ\x00", "application/x-xz"],
  ["BZh", "application/x-bzip2"],
  ["\x28\xb5\x2f\xfd", "application/zstd"],
  ["MSCF", "application/vnd.ms-cab-compressed"],
  ["%PDF-", "application/pdf"],
  ["%!PS", "application/postscript"],
  ["{\\rtf", "text/rtf"],
  ["\x89PNG\r\n\x1a\n", "image/png"],
  ["\xff\xd8\xff", "image/jpeg"],
  ["GIF87a", "image/gif"],
  ["GIF89a", "image/gif"],
  ["BM", "image/bmp"],
  ["\x00\x00\x01\x00", "image/x-icon"],
  ["II*\x00", "image/tiff"],
  ["MM\x00*", "image/tiff"],
  ["\x7fELF", "application/x-elf"],
  ["MZ", "application/x-dosexec"],
  ["\xca\xfe\xba\xbe", "application/java-vm"],
  ["\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"],
  ["CWS", "application/x-shockwave-flash"],
  ["FWS", "application/x-shockwave-flash"],
  ["ZWS", "application/x-shockwave-flash"],
  ["ID3", "audio/mpeg"],
  ["OggS", "application/ogg"],
  ["FLV\x01", "video/x-flv"],
  ["\x1aE\xdf\xa3", "video/webm"],
  ["wOFF", "font/woff"],
  ["wOF2", "font/woff2"],
  ["\x00asm", "application/wasm"],
  ["#!", "text/x-script"],
];

/** The same by their first byte. */
const BY_FIRST: ReadonlyMap<number, readonly [string, string][]> = Map.groupBy(MAGIC, ([magic]) => magic.charCodeAt(0));

export const SNIFF_BYTES = 512;
/** What may be a tag at the beginning; none that is known is longer. */
const TAG_CHARS = 32;

export function sniff(b: Uint8Array): string | undefined {
  if (b.length === 0) return undefined;
  const text = latin1(b, 0, SNIFF_BYTES);
  const magic = BY_FIRST.get(b[0])?.find(([m]) => text.startsWith(m));
  if (magic) return magic[1];
  if (text.startsWith("RIFF") && text.length >= 12) {
    const form = text.slice(8, 12);
    return form === "WEBP" ? "image/webp" : form === "WAVE" ? "audio/wav" : form === "AVI " ? "video/x-msvideo" : undefined;
  }
  if (text.slice(4, 8) === "ftyp") return "video/mp4";
  const begin = text
    .replace(/^\xef\xbb\xbf/, "")
    .trimStart()
    .slice(0, TAG_CHARS)
    .toLowerCase();
  if (/^(<!doctype html|<html|<head|<body|<script|<table|<div|<title|<iframe|<h1|<font|<a\s|<style|<br|<p>|<!--)/.test(begin))
    return "text/html";
  if (begin.startsWith("<svg")) return "image/svg+xml";
  if (begin.startsWith("<?xml")) return "text/xml";
  if (/^[{[]\s*(["{[\]}]|\d|true|false|null)/.test(begin)) return "application/json";
  // Text has no bytes below 0x20 but tab, line feeds, form feed and escape.
  return /[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]/.test(text) ? undefined : "text/plain";
}
