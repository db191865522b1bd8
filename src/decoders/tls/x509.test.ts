/** Certificates made by hand in DER: every kind of name, time and key; and their damaged kin. */
import { certificate } from "./x509.js";

const tlv = (tag: number, hex: string, form?: number): string => {
  const n = hex.length / 2;
  const short = n < 128 && form === undefined;
  const bytes = form ?? (n < 256 ? 1 : n < 65536 ? 2 : 3);
  return (
    tag.toString(16).padStart(2, "0") +
    (short ? n.toString(16).padStart(2, "0") : (0x80 | bytes).toString(16) + n.toString(16).padStart(2 * bytes, "0")) +
    hex
  );
};
const ascii = (t: string): string => Buffer.from(t, "latin1").toString("hex");
function oid(dotted: string): string {
  const [a, b, ...rest] = dotted.split(".").map(Number);
  const base128 = (n: number): string => {
    const out = [n & 127];
    for (let v = Math.floor(n / 128); v; v = Math.floor(v / 128)) out.unshift((v & 127) | 128);
    return Buffer.from(out).toString("hex");
  };
  return tlv(6, [a * 40 + b, ...rest].map(base128).join(""));
}
const sequence = (...parts: string[]): string => tlv(0x30, parts.join(""));
const attribute = (type: string, value: string, tag = 12): string => sequence(oid(type), tlv(tag, value));
const name = (...rdns: string[][]): string => sequence(...rdns.map((pairs) => tlv(0x31, pairs.join(""))));
const RSA = sequence(
  sequence(oid("1.2.840.113549.1.1.1"), "0500"),
  tlv(3, `00${sequence(tlv(2, `00c1${"11".repeat(127)}`), tlv(2, "010001"))}`),
);
const CN = name([attribute("2.5.4.3", ascii("x.example"))]);
interface Parts {
  version?: string;
  serial?: string;
  algorithm?: string;
  issuer?: string;
  from?: string;
  to?: string;
  subject?: string;
  key?: string;
  extensions?: string;
}
const der = (p: Parts = {}): string => {
  const algorithm = sequence(oid(p.algorithm ?? "1.2.840.113549.1.1.11"));
  return sequence(
    sequence(
      p.version ?? tlv(0xa0, tlv(2, "02")),
      tlv(2, p.serial ?? "00c5"),
      algorithm,
      p.issuer ?? CN,
      sequence(p.from ?? tlv(23, ascii("260101000000Z")), p.to ?? tlv(24, ascii("20500102030405Z"))),
      p.subject ?? CN,
      p.key ?? RSA,
      p.extensions ?? "",
    ),
    algorithm,
    tlv(3, "00ff"),
  );
};
const read = (p: Parts = {}) => certificate(Buffer.from(der(p), "hex"));

test("a whole one", () => {
  expect(read()).toMatchObject({
    version: "3",
    serial: "C5",
    subject: "CN=x.example",
    issuer: "CN=x.example",
    subjectCommonNames: ["x.example"],
    notBefore: "2026-01-01T00:00:00.000Z",
    notAfter: "2050-01-02T03:04:05.000Z",
    keyAlgorithm: "RSA",
    keySize: 1024,
    signatureAlgorithm: "SHA256-RSA",
    malformed: false,
  });
  expect(read({ version: "" }).version).toBe("1");
  expect(read({ serial: "00" }).serial).toBe("00");
  expect(read({ serial: "7f01" }).serial).toBe("7F01");
  expect(read({ serial: "11".repeat(70) }).serial).toHaveLength(128);
});
test.each([
  [23, "491231235959Z", "2049-12-31T23:59:59.000Z"],
  [23, "500101000000Z", "1950-01-01T00:00:00.000Z"],
  [23, "2601010000Z", "2026-01-01T00:00:00.000Z"],
  [24, "19990101000000Z", "1999-01-01T00:00:00.000Z"],
  [24, "260101000000Z", undefined],
  [23, "20260101000000Z", undefined],
  [23, "261301000000Z", undefined],
  [23, "260101000000", undefined],
])("a time of tag %i, %s", (tag, text, out) => {
  expect(read({ from: tlv(tag, ascii(text)) }).notBefore).toBe(out);
  const end = read({ to: tlv(tag, ascii(text)) });
  expect([end.notAfter, end.malformed]).toEqual([out, out === undefined]);
});
test("names: the last part first, several values in one part, what has to be escaped, unknown types by number", () => {
  const subject = name(
    [attribute("2.5.4.6", ascii("AT"), 19)],
    [attribute("2.5.4.10", ascii('A, "B" + C;<D>\\')), attribute("2.5.4.11", ascii(" lead"))],
    [attribute("2.5.4.3", ascii("#x "))],
    [attribute("1.2.3.4", ascii("y"))],
  );
  expect(read({ subject }).subject).toBe('1.2.3.4=y,CN=\\#x\\ ,O=A\\, \\"B\\" \\+ C\\;\\<D\\>\\\\+OU=\\ lead,C=AT');
  expect(read({ subject: name([attribute("2.5.4.3", "00780079", 30)]) }).subjectCommonNames).toEqual(["xy"]); // BMPString
  expect(read({ subject: name([attribute("2.5.4.3", "0078007900", 30)]) }).subjectCommonNames).toEqual(["xy"]);
  expect(read({ subject: name([attribute("2.5.4.3", "e9", 20)]) }).subjectCommonNames).toEqual(["é"]); // T61String
  expect(read({ subject: name([attribute("2.5.4.3", "c3a9")]) }).subjectCommonNames).toEqual(["é"]);
  expect(read({ subject: name([attribute("2.5.4.3", "e9")]) })).toMatchObject({ subjectCommonNames: ["\\xE9"], notes: { escaped: true } });
  expect(read({ subject: name([attribute("2.5.4.3", "")]) })).toMatchObject({ subjectCommonNames: [], subject: "CN=" });
  expect(read({ subject: name([attribute("2.5.4.3", "6100")]) }).subjectCommonNames).toEqual(["a\\0"]);
});
const bits = (hex: string): string => tlv(3, `00${hex}`);
test.each([
  ["1.2.840.10045.3.1.7", "secp256r1", 256],
  ["1.3.132.0.34", "secp384r1", 384],
  ["1.3.132.0.35", "secp521r1", 521],
  ["1.3.132.0.10", "secp256k1", 256],
  ["1.3.132.0.33", "secp224r1", 224],
  ["1.2.3", "1.2.3", undefined],
])("an EC key on %s", (curve, keyCurve, keySize) => {
  const c = read({ key: sequence(sequence(oid("1.2.840.10045.2.1"), oid(curve)), bits("04aa")) });
  expect([c.keyAlgorithm, c.keyCurve, c.keySize]).toEqual(["EC", keyCurve, keySize]);
});
test.each([
  ["1.3.101.112", "Ed25519"],
  ["1.3.101.113", "Ed448"],
  ["1.3.101.110", "X25519"],
  ["2.16.840.1.101.3.4.3.17", "ML-DSA-44"],
  ["1.2.3.4.5", "1.2.3.4.5"],
])("a key of %s", (id, algorithm) => {
  const c = read({ key: sequence(sequence(oid(id), sequence(tlv(2, "0102"))), bits("aa")) });
  expect([c.keyAlgorithm, c.keySize]).toEqual([algorithm, undefined]);
});
test.each([
  ["empty", tlv(6, "")],
  ["longer than any field", tlv(6, "2a".repeat(60))],
])("an OID that is %s tells no algorithm and no curve", (_, id) => {
  const c = read({ key: sequence(sequence(id), bits("aa")) });
  expect(c.keyAlgorithm).toBeUndefined();
  const ec = read({ key: sequence(sequence(oid("1.2.840.10045.2.1"), id), bits("04aa")) });
  expect([ec.keyAlgorithm, ec.keyCurve, ec.keySize]).toEqual(["EC", undefined, undefined]);
});
test("sizes of RSA and DSA keys are those of their numbers", () => {
  const rsa = (modulus: string): number | undefined =>
    read({ key: sequence(sequence(oid("1.2.840.113549.1.1.1")), bits(sequence(tlv(2, modulus), tlv(2, "03")))) }).keySize;
  expect([rsa(`00${"ff".repeat(256)}`), rsa("7f"), rsa("01"), rsa("0080"), rsa("00")]).toEqual([2048, 7, 1, 8, undefined]);
  const dsa = sequence(sequence(oid("1.2.840.10040.4.1"), sequence(tlv(2, `00${"ff".repeat(128)}`), tlv(2, "01"))), bits("02"));
  expect(read({ key: dsa })).toMatchObject({ keyAlgorithm: "DSA", keySize: 1024 });
});
test("alternative names: mail, DNS, URI, addresses of both lengths; others are left out", () => {
  const san = (...names: string[]): string =>
    tlv(0xa3, sequence(sequence(oid("2.5.29.15"), tlv(4, "0302")), sequence(oid("2.5.29.17"), tlv(1, "ff"), tlv(4, sequence(...names)))));
  const extensions = san(
    tlv(0x81, ascii("a@x")),
    tlv(0x82, ascii("b.x")),
    tlv(0x86, ascii("http://c")),
    tlv(0x87, "c0000201"),
    tlv(0x87, "20010db8000000000000000000000001"),
    tlv(0x87, "c00002"),
    tlv(0x88, "2a"),
    tlv(0x82, ""),
  );
  expect(read({ extensions }).alternativeNames).toEqual(["a@x", "b.x", "http://c", "192.0.2.1", "2001:db8::1"]);
  expect(read({ extensions: san(...Array.from({ length: 120 }, () => tlv(0x82, ascii("n")))) }).alternativeNames).toHaveLength(100);
});
test("lengths of one to four bytes are read, of five or none are not; what is cut gives what could be read", () => {
  const body = Buffer.from(der(), "hex").subarray(4).toString("hex"); // behind 30 82 xx xx
  for (const form of [2, 3, 4]) expect(certificate(Buffer.from(tlv(0x30, body, form), "hex")).malformed).toBe(false);
  for (const hex of [tlv(0x30, body, 5), `3080${body}`, der().slice(0, -2)]) {
    const c = certificate(Buffer.from(hex, "hex"));
    expect([c.malformed, c.serial]).toEqual([true, undefined]);
  }
  const whole = Buffer.from(der(), "hex");
  for (let n = 0; n < whole.length; n++) expect(certificate(whole.subarray(0, n)).malformed).toBe(true);
  expect(certificate(Buffer.from("3000", "hex"))).toMatchObject({ malformed: true });
});
