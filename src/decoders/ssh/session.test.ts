/** Connections of SSH: versions, what a server says before, packets that cannot be, and when both sides have said all. */
import { bodyOf, drive } from "../../../test/support/session.js";
import { ssh } from "./index.js";

const text = (t: string): string => Buffer.from(t, "latin1").toString("hex");
const CLIENT = text("SSH-2.0-a\r\n");
const SERVER = text("SSH-2.0-b c\r\n");
const packet = (type: number, payload = "", padding = 4): string => {
  const size = 1 + 1 + payload.length / 2 + padding;
  return (
    size.toString(16).padStart(8, "0") +
    padding.toString(16).padStart(2, "0") +
    type.toString(16).padStart(2, "0") +
    payload +
    "00".repeat(padding)
  );
};
const told = (turns: [0 | 1, string | null][], step?: number) => {
  const d = drive(ssh, turns, step);
  return { ...d, body: bodyOf(d.records[0])?.ssh, outcome: d.records[0]?.outcome };
};

test.each([1, 4, Infinity])("both identifications and both NEWKEYS, in steps of %d", (step) => {
  const d = told(
    [
      [0, CLIENT],
      [1, SERVER + packet(21)],
      [0, packet(21)],
    ],
    step,
  );
  expect(d.outcome).toBe("success");
  expect(JSON.stringify(d.body)).toContain("SSH-2.0-b c");
  expect([d.records.length, d.anomalies, d.last[0], d.last[1]]).toEqual([
    1,
    [],
    { kind: "stop", reason: "encrypted" },
    { kind: "stop", reason: "encrypted" },
  ]);
  expect([d.records[0].at.packet, d.records[0].side, d.records[0].until?.packet]).toEqual([1, 0, 3]);
});
test("an identification ends with its last character, not with the one before nor with the end of the line", () => {
  const d = told([
    [0, text("SSH-2.0-")],
    [0, text("a")],
    [0, text("\r\n")],
  ]);
  expect([d.records[0].at.packet, d.records[0].until?.packet]).toEqual([1, 2]);
});
test("a server may say lines before; a version 1 ends there; one NEWKEYS alone is no connection", () => {
  expect(JSON.stringify(told([[1, text("hello\r\nworld\n") + SERVER]]).body)).toContain("SSH-2.0-b c");
  expect(JSON.stringify(told([[1, `0a${SERVER}`]]).body)).toContain("SSH-2.0-b c");
  expect(told([[1, text("SSH-1.5-x\n")]])).toMatchObject({ last: [undefined, { kind: "stop", reason: "finished" }] });
  expect(told([[1, text("SSH-1.99-x\n")]])).toMatchObject({ last: [undefined, { kind: "ok" }] });
  expect(
    told([
      [0, CLIENT + packet(21)],
      [1, SERVER],
    ]).outcome,
  ).toBe("unknown");
});
test("an identification of 255 bytes is one, of 256 too long; NUL ends it", () => {
  const long = (n: number): string => text(`SSH-2.0-${"x".repeat(n - 8)}`);
  expect(told([[0, `${long(255)}0d0a`]]).anomalies).toEqual([]);
  expect(told([[0, `${long(256)}0d0a`]]).anomalies).toEqual(["ssh-banner-too-long"]);
  expect(told([[0, long(255)]]).last[0]).toEqual({ kind: "need", consumed: 0, need: 256 });
  expect(told([[0, long(256)]]).last[0]).toEqual({ kind: "stop", reason: "not-this-protocol" });
  const nul = told([[0, text("SSH-2.0-a\0b\r\n")]]);
  expect([nul.anomalies, JSON.stringify(nul.body).includes('SSH-2.0-a"')]).toEqual([["ssh-banner-nul"], true]);
});
test("lines before the identification end at 8,192 bytes", () => {
  const line = text(`${"y".repeat(127)}\n`);
  const lines = (n: number): [0 | 1, string][] => Array.from({ length: n }, () => [1, line]);
  expect(told(lines(64)).last[1]).toEqual({ kind: "ok", consumed: 128 });
  expect(told(lines(65)).last[1]).toEqual({ kind: "stop", reason: "not-this-protocol" });
});
test.each([
  ["0000000100", true],
  ["000000020114", false],
  ["000000020214", true],
  ["0004000004140000", false],
  ["0004000104140000", true],
])("a packet that begins %s cannot be: %s", (hex, bad) => {
  const d = told([[0, CLIENT + hex.padEnd(12, "0")]]);
  expect([d.anomalies.includes("ssh-packet-length-invalid"), d.last[0]?.kind === "stop"]).toEqual([bad, bad]);
});
test("a KEXINIT that does not fit is said; a hole ends a side", () => {
  expect(told([[0, CLIENT + packet(20, `${"00".repeat(16)}000000ff`)]]).anomalies).toEqual(["ssh-kexinit-malformed"]);
  const d = told([
    [0, CLIENT],
    [0, null],
    [1, SERVER],
    [1, null],
  ]);
  expect([d.records.length, d.outcome]).toEqual([1, "unknown"]);
});
test.each([
  ["SSH-2.0-x", "certain"],
  ["SSH-1.5-x", "certain"],
  ["SSH-3.0-x", "unsure"],
  ["SSH", "unsure"],
  ["SSx", "no"],
  ["HTTP/1.1", "no"],
])("first bytes %j: %s", (t, sure) => {
  expect(ssh.probe(Buffer.from(t), { clientPort: 50000, serverPort: 9999 } as never).sure).toBe(sure);
});
test("a capture that begins behind the identification: KEXINIT, and a fitting port", () => {
  const bytes = Buffer.from(`0000041c0414${"00".repeat(16)}`, "hex");
  expect(ssh.probe(bytes, { clientPort: 50000, serverPort: 22 } as never).sure).toBe("unsure");
  expect(ssh.probe(bytes, { clientPort: 22, serverPort: 50000 } as never).sure).toBe("unsure");
  expect(ssh.probe(bytes, { clientPort: 50000, serverPort: 9999 } as never).sure).toBe("no");
  expect(ssh.probe(bytes.subarray(0, 21), { clientPort: 50000, serverPort: 22 } as never).sure).toBe("no");
});
test("what a server says before its identification", () => {
  const probe = (t: string, serverPort: number) => ssh.probe(Buffer.from(t), { clientPort: 50000, serverPort } as never);
  expect(probe("Welcome\r\nto x\r\nSSH-2.0-b\r\n", 9999)).toEqual({ sure: "certain", from: "server" });
  expect(probe("Welcome\r\n", 22)).toEqual({ sure: "unsure", alone: false });
  expect(probe("Welcome\r\n", 9999).sure).toBe("no");
  expect(probe("\x01elcome\r\n", 22).sure).toBe("no");
});
test("padding is no part of a KEXINIT", () => {
  const lists = "00".repeat(16) + "00000000".repeat(10);
  expect(told([[0, CLIENT + packet(20, `${lists}0000000000`)]]).anomalies).toEqual([]);
  expect(told([[0, CLIENT + packet(20, lists, 8)]]).anomalies).toEqual(["ssh-kexinit-malformed"]);
});
