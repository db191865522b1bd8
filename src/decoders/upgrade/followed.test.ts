/** Connections that are handed over: where exactly, in steps of any size. */
import { drive } from "../../../test/support/session.js";
import { decoders } from "../registry.js";

const named = (name: string) => decoders.find((d) => d.name === name) as (typeof decoders)[number];
const text = (t: string): string => Buffer.from(t, "latin1").toString("hex");
const HELLO = "160301002001";

test.each([
  [
    "smtp",
    [
      [1, text("220 mx ESMTP\r\n")],
      [0, text("EHLO a\r\n")],
      [1, text("250-mx\r\n250 STARTTLS\r\n")],
      [0, text("STARTTLS\r\n") + HELLO],
      [1, text("220 go\r\n") + HELLO],
    ],
    HELLO,
    HELLO,
  ],
  [
    "imap",
    [
      [1, text("* OK ready\r\n")],
      [0, text("a STARTTLS\r\n") + HELLO],
      [1, text("a OK\r\n") + HELLO],
    ],
    HELLO,
    HELLO,
  ],
  [
    "xmpp",
    [
      [0, text("<?xml version='1.0'?><stream:stream to='x'><starttls/>") + HELLO],
      [1, text("<stream:stream from='x'><proceed/>") + HELLO],
    ],
    HELLO,
    HELLO,
  ],
  [
    "ldap",
    [
      [0, `300c020101600702010304008000${HELLO}`],
      [1, `300c02010161070a010004000400${HELLO}`],
    ],
    HELLO,
    HELLO,
  ],
  [
    "proxy",
    [
      [0, text("PROXY TCP4 192.0.2.1 192.0.2.2 5000 80\r\nGET / ")],
      [1, text("HTTP/1.1 ")],
    ],
    text("GET / "),
    text("HTTP/1.1 "),
  ],
  ["proxy", [[0, `0d0a0d0a000d0a515549540a2111000cc0000201c000020213880050${HELLO}`]], HELLO, ""],
  ["ldap", [[0, `30840000000c020101600702010304008000${HELLO}`]], HELLO, ""],
  [
    "mysql",
    [
      [1, `05000000${text("\n8.0\0")}`],
      [0, `20000001${"00".repeat(32)}${HELLO}`],
      [1, HELLO],
    ],
    HELLO,
    HELLO,
  ],
  ["mysql", [[0, `00010001${"00".repeat(256)}${HELLO}`]], HELLO, ""],
  [
    "postgresql",
    [
      [0, `0000000804d2162f${HELLO}`],
      [1, `53${HELLO}`],
    ],
    HELLO,
    HELLO,
  ],
  [
    "postgresql",
    [
      [0, `0000000804d21630${HELLO}`],
      [1, `47${HELLO}`],
    ],
    HELLO,
    HELLO,
  ],
  [
    "rdp",
    [
      [0, `0300000bffe00000000000${HELLO}`],
      [1, `0300000bffd00000000000${HELLO}`],
    ],
    HELLO,
    HELLO,
  ],
  [
    "socks",
    [
      [0, `05010005010001c000020100500a`],
      [1, `050005000001c000020100500b`],
    ],
    "0a",
    "0b",
  ],
  [
    "socks",
    [
      [0, `05010205010003036162630050 0a`],
      [1, `05020100050000040000000000000000000000000000000000500b`],
    ],
    "0a",
    "0b",
  ],
  [
    "socks",
    [
      [0, `050102 01 01 61 02 6262 05010001c00002010050 0a`],
      [1, `0502 0100 05000001c00002010050 0b`],
    ],
    "0a",
    "0b",
  ],
  [
    "socks",
    [
      [0, `04010050c00002017500 0a`],
      [1, `005a0050c0000201 0b`],
    ],
    "0a",
    "0b",
  ],
  [
    "socks",
    [
      [0, `0401005000000001 7500 782e7900 0a`],
      [1, `005a0050c0000201 0b`],
    ],
    "0a",
    "0b",
  ],
] as [string, [0 | 1, string][], string, string][])("%s %#", (name, turns, client, server) => {
  for (const step of [1, 2, 5, Infinity]) {
    const d = drive(named(name), turns, step);
    for (const [side, left] of [client, server].entries()) {
      if (!left) continue;
      expect([step, side, d.last[side]?.kind]).toEqual([step, side, "handover"]);
      // One byte at a time: the last byte of the reply hands over, and what comes next is not touched any more.
      if (name === "socks" && step === 1) expect([side, d.left[side]]).toEqual([side, left]);
      if (step === Infinity) expect([side, d.left[side]]).toEqual([side, left]);
    }
  }
});
test.each([
  ["socks", [[0, "05010005020001c00002010050"]], 0], // BIND is not followed
  ["socks", [[1, "0501"]], 1], // GSS-API
  ["socks", [[1, "05000501"]], 1], // refused
  ["socks", [[1, "005b0050c0000201"]], 1],
  ["socks", [[1, "05ff"]], 1],
  ["socks", [[0, "04020050c0000201 7500"]], 0],
  ["socks", [[0, "0600"]], 0],
  ["ldap", [[0, "3100"]], 0],
  ["ldap", [[0, "3080"]], 0],
  ["ldap", [[0, "3085 0000000001 00 00"]], 0],
  ["postgresql", [[0, "00000009 00030000 00"]], 0],
  ["postgresql", [[1, "45"]], 1],
  ["rdp", [[0, "0400000b06e00000000000"]], 0],
  ["rdp", [[0, "030000066e00"]], 0],
] as [string, [0 | 1, string][], 0 | 1][])("%s %#: what will not be handed over stops", (name, turns, side) => {
  const d = drive(named(name), turns);
  for (const s of [0, 1] as const) expect([s, d.last[s]?.kind === "stop"]).toEqual([s, s === side]);
});
test("who has not upgraded after 64 KiB is left alone", () => {
  const line = text(`${"x".repeat(1023)}\n`);
  const lines = (n: number): [0 | 1, string][] => Array.from({ length: n }, () => [0, line]);
  expect(drive(named("smtp"), lines(65)).last[0]?.kind).toBe("ok");
  expect(drive(named("smtp"), lines(66)).last[0]).toEqual({ kind: "stop", reason: "finished" });
});
test("TLS begins with a handshake record that holds a hello, at the beginning of a message only", () => {
  for (const [hex, kind] of [
    ["160301002001", "handover"],
    ["160301002002", "handover"],
    ["160304002001", "handover"],
    ["160305002001", "ok"],
    ["160201002001", "ok"],
    ["160301002003", "ok"],
    ["1603010020", "need"],
    ["170301002001", "ok"],
  ])
    expect([hex, drive(named("smtp"), [[0, hex]]).last[0]?.kind]).toEqual([hex, kind]);
  expect(drive(named("smtp"), [[0, `${text("DATA ")}${HELLO}`]]).last[0]?.kind).toBe("ok");
});
