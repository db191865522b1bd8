/** Hellos made by hand: what each extension says, what does not fit, and fingerprints by the texts of their authors. */
import { createHash } from "node:crypto";
import { type ClientHello, clientHello, ja3, ja3s, ja4, serverHello } from "./hello.js";

const u8 = (n: number): string => n.toString(16).padStart(2, "0");
const u16 = (n: number): string => n.toString(16).padStart(4, "0");
const vector8 = (hex: string): string => u8(hex.length / 2) + hex;
const vector16 = (hex: string): string => u16(hex.length / 2) + hex;
const ascii = (t: string): string => Buffer.from(t, "latin1").toString("hex");
const extension = (type: number, hex: string): string => u16(type) + vector16(hex);
const RANDOM = "11".repeat(32);
const client = (ciphers: number[], extensions: string): ClientHello =>
  clientHello(
    Buffer.from(`0303${RANDOM}${vector8("aa")}${vector16(ciphers.map(u16).join(""))}${vector8("00")}${vector16(extensions)}`, "hex"),
  ) as ClientHello;
const name = (t: string): string => `00${vector16(ascii(t))}`;
const md5 = (t: string): string => createHash("md5").update(t).digest("hex");
const sha12 = (t: string): string => createHash("sha256").update(t).digest("hex").slice(0, 12);

test("every extension that is read", () => {
  const h = client(
    [0x0a0a, 0x1301, 0xc02f],
    extension(0x1a1a, "") +
      extension(0, vector16(name("www.example"))) +
      extension(10, vector16("2a2a001d0017")) +
      extension(11, vector8("0001")) +
      extension(13, vector16("04030804")) +
      extension(16, vector16(vector8(ascii("h2")) + vector8(ascii("http/1.1")))) +
      extension(35, "00") +
      extension(43, vector8("3a3a03040303")) +
      extension(0xfe0d, "00"),
  );
  expect(h).toMatchObject({
    version: 0x0303,
    ciphers: [0x0a0a, 0x1301, 0xc02f],
    extensions: [0x1a1a, 0, 10, 11, 13, 16, 35, 43, 0xfe0d],
    groups: [0x2a2a, 29, 23],
    pointFormats: [0, 1],
    signatureAlgorithms: [0x0403, 0x0804],
    versions: [0x3a3a, 0x0304, 0x0303],
    serverName: "www.example",
    ticket: true,
    ech: true,
    anomalies: [],
  });
  expect(h.alpn.map((a) => Buffer.from(a).toString())).toEqual(["h2", "http/1.1"]);
  expect(ja3(h)).toBe(md5("771,4865-49199,0-10-11-13-16-35-43-65037,29-23,0-1"));
  expect(ja4(h, "t")).toBe(`t13d0208h2_${sha12("1301,c02f")}_${sha12("000a,000b,000d,0023,002b,fe0d_0403,0804")}`);
});
test.each([
  [0x0304, "13"],
  [0x0303, "12"],
  [0x0302, "11"],
  [0x0301, "10"],
  [0x0300, "s3"],
  [0x0002, "s2"],
  [0xfeff, "d1"],
  [0xfefd, "d2"],
  [0xfefc, "d3"],
  [0x0305, "00"],
])("JA4 calls version %i %s", (version, text) => {
  expect(ja4(client([0x1301], extension(43, vector8(u16(version)))), "q").slice(0, 4)).toBe(`q${text}i`);
});
test.each([
  ["h2", "h2"],
  ["http/1.1", "h1"],
  ["a", "aa"],
  ["\xab\xcd", "ad"],
  ["h\xff", "6f"],
  ["0Z", "0Z"],
  ["/9", "29"],
  ["9:", "3a"],
  ["@A", "41"],
  ["z{", "7b"],
])("JA4 shows ALPN %j as %s", (alpn, shown) => {
  expect(
    ja4(client([0x1301], extension(16, vector16(vector8(ascii(alpn))))), "t")
      .split("_")[0]
      .slice(-2),
  ).toBe(shown);
});
test("JA4 counts to 99, and without ALPN, ciphers or extensions says zeros", () => {
  const many = client(
    Array.from({ length: 120 }, (_, i) => i + 1),
    "",
  );
  expect(ja4(many, "d")).toBe(`d12i990000_${sha12(Array.from({ length: 120 }, (_, i) => u16(i + 1)).join(","))}_000000000000`);
  expect(ja4(client([], ""), "t")).toBe("t12i000000_000000000000_000000000000");
});
test("what does not fit is said", () => {
  expect(client([1], extension(0, vector16(name("a") + name("b"))))).toMatchObject({
    serverName: "a",
    anomalies: ["tls-multiple-server-names"],
  });
  expect(client([1], extension(0, vector16(`01${vector16(ascii("a"))}`)))).toMatchObject({ serverName: undefined, anomalies: [] });
  expect(client([1], `${u16(0)}0009aa`).anomalies).toEqual(["tls-extensions-malformed"]);
  expect(client([1], "000000").anomalies).toEqual(["tls-extensions-malformed"]);
  expect(client([1], extension(43, "0503"))).toMatchObject({ extensions: [43], anomalies: ["tls-extensions-malformed"] });
  const cut = Buffer.from(`0303${RANDOM}00${vector16("1301")}0100`, "hex");
  expect(clientHello(cut)).toMatchObject({ ciphers: [0x1301], extensions: [], anomalies: [] });
  expect(clientHello(cut.subarray(0, cut.length - 1))).toBeUndefined();
  expect(clientHello(Buffer.concat([cut, Buffer.from("0001", "hex")]))?.anomalies).toEqual(["tls-extensions-malformed"]);
});

const server = (version: number, rest: string, random = RANDOM) => serverHello(Buffer.from(u16(version) + random + rest, "hex"));
test("server hellos: of TLS 1.2, of 1.3, of its drafts, and one that asks again", () => {
  const two = server(0x0303, `${vector8("aa")}c02f00${vector16(extension(16, vector16(vector8(ascii("h2")))))}`);
  expect(two).toMatchObject({
    version: 0x0303,
    cipher: 0xc02f,
    selected: undefined,
    group: undefined,
    psk: false,
    retry: false,
    extensions: [16],
  });
  expect(Buffer.from(two?.alpn as Uint8Array).toString()).toBe("h2");
  expect(ja3s(two as NonNullable<typeof two>)).toBe(md5("771,49199,16"));
  const three = server(
    0x0303,
    `00130100${vector16(extension(43, "0304") + extension(51, `001d${vector16("bb")}`) + extension(41, "0000"))}`,
  );
  expect(three).toMatchObject({ selected: 0x0304, group: 29, psk: true, cipher: 0x1301 });
  expect(server(0x7f15, `1301${vector16(extension(51, `0017${vector16("bb")}`))}`)).toMatchObject({
    version: 0x7f15,
    cipher: 0x1301,
    group: 23,
  });
  expect(server(0x7f16, `00130100${vector16(extension(51, "0017"))}`)).toMatchObject({ cipher: 0x1301, group: 23 });
  expect(server(0x0303, "00130100", `cf21ad74e59a6111${"00".repeat(24)}`)).toMatchObject({ retry: true });
  expect(server(0x0303, "00130100", `cf21ad74e59a6110${"00".repeat(24)}`)).toMatchObject({ retry: false });
  expect(server(0x0303, "001301")).toBeUndefined();
});
