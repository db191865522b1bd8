/** TLS parameters from the IANA registries, 2026-11. Unknown numbers stand as 0x1a2b. */
import data from "./data/suites.json" with { type: "json" };

const SUITES = data.suites as Readonly<Record<string, string>>;
const hex4 = (n: number): string => n.toString(16).padStart(4, "0");
export const unknown = (n: number): string => `0x${hex4(n)}`;

const names = new Map<number, string>();
export function suiteName(n: number): string {
  let name = names.get(n);
  if (name === undefined) {
    name = SUITES[hex4(n)] ?? (isGrease(n) ? "GREASE" : unknown(n));
    names.set(n, name);
  }
  return name;
}

const GROUPS: Readonly<Record<number, string>> = {
  1: "sect163k1",
  2: "sect163r1",
  3: "sect163r2",
  4: "sect193r1",
  5: "sect193r2",
  6: "sect233k1",
  7: "sect233r1",
  8: "sect239k1",
  9: "sect283k1",
  10: "sect283r1",
  11: "sect409k1",
  12: "sect409r1",
  13: "sect571k1",
  14: "sect571r1",
  15: "secp160k1",
  16: "secp160r1",
  17: "secp160r2",
  18: "secp192k1",
  19: "secp192r1",
  20: "secp224k1",
  21: "secp224r1",
  22: "secp256k1",
  23: "secp256r1",
  24: "secp384r1",
  25: "secp521r1",
  26: "brainpoolP256r1",
  27: "brainpoolP384r1",
  28: "brainpoolP512r1",
  29: "x25519",
  30: "x448",
  31: "brainpoolP256r1tls13",
  32: "brainpoolP384r1tls13",
  33: "brainpoolP512r1tls13",
  41: "curveSM2",
  256: "ffdhe2048",
  257: "ffdhe3072",
  258: "ffdhe4096",
  259: "ffdhe6144",
  260: "ffdhe8192",
  512: "MLKEM512",
  513: "MLKEM768",
  514: "MLKEM1024",
  4587: "SecP256r1MLKEM768",
  4588: "X25519MLKEM768",
  4589: "SecP384r1MLKEM1024",
  25497: "X25519Kyber768Draft00",
  25498: "SecP256r1Kyber768Draft00",
};
export const groupName = (n: number): string => GROUPS[n] ?? unknown(n);

const ALERTS: Readonly<Record<number, string>> = {
  0: "close_notify",
  10: "unexpected_message",
  20: "bad_record_mac",
  21: "decryption_failed",
  22: "record_overflow",
  30: "decompression_failure",
  40: "handshake_failure",
  41: "no_certificate",
  42: "bad_certificate",
  43: "unsupported_certificate",
  44: "certificate_revoked",
  45: "certificate_expired",
  46: "certificate_unknown",
  47: "illegal_parameter",
  48: "unknown_ca",
  49: "access_denied",
  50: "decode_error",
  51: "decrypt_error",
  60: "export_restriction",
  70: "protocol_version",
  71: "insufficient_security",
  80: "internal_error",
  86: "inappropriate_fallback",
  90: "user_canceled",
  100: "no_renegotiation",
  109: "missing_extension",
  110: "unsupported_extension",
  111: "certificate_unobtainable",
  112: "unrecognized_name",
  113: "bad_certificate_status_response",
  114: "bad_certificate_hash_value",
  115: "unknown_psk_identity",
  116: "certificate_required",
  120: "no_application_protocol",
  121: "ech_required",
};
export const alertName = (level: number, description: number): string =>
  `${level === 1 ? "warning" : level === 2 ? "fatal" : `level_${level}`}:${ALERTS[description] ?? `alert_${description}`}`;

const VERSIONS: Readonly<Record<number, [string, string]>> = {
  2: ["2.0", "ssl"],
  768: ["3.0", "ssl"],
  769: ["1.0", "tls"],
  770: ["1.1", "tls"],
  771: ["1.2", "tls"],
  772: ["1.3", "tls"],
};
/** Version and protocol as records have them; drafts of 1.3 (0x7fXX) count as 1.3. */
export function versionOf(n: number): [string, string] {
  if (n >>> 8 === 0x7f || n >>> 8 === 0xfb) return ["1.3", "tls"];
  return VERSIONS[n] ?? [unknown(n), "tls"];
}
/** RFC 8701: 0x0a0a, 0x1a1a, … — equal bytes only. */
export const isGrease = (n: number): boolean => (n & 0x0f0f) === 0x0a0a && n >>> 8 === (n & 0xff);
