/** Handshakes made by hand: what is in clear, alerts, what is no record, and the bytes that tell TLS from other things. */
import { bodyOf, drive } from "../../../test/support/session.js";
import { tls } from "./index.js";

const u16 = (n: number): string => n.toString(16).padStart(4, "0");
const u24 = (n: number): string => n.toString(16).padStart(6, "0");
const record = (type: number, hex: string, version = "0303"): string =>
  type.toString(16).padStart(2, "0") + version + u16(hex.length / 2) + hex;
const message = (type: number, hex: string): string => type.toString(16).padStart(2, "0") + u24(hex.length / 2) + hex;
const RANDOM = "22".repeat(32);
const hello = (extensions = ""): string =>
  message(1, `0303${RANDOM}000002c02f0100${extensions ? u16(extensions.length / 2) + extensions : ""}`);
const serverHello = (cipher = "c02f", extensions = ""): string =>
  message(2, `0303${RANDOM}00${cipher}00${extensions ? u16(extensions.length / 2) + extensions : ""}`);
const CHANGE = record(20, "01");
const SECRET = record(22, "00".repeat(40));
const told = (turns: [0 | 1, string | null][], step?: number) => {
  const d = drive(tls, turns, step);
  return { ...d, tls: bodyOf(d.records[0])?.tls, outcome: d.records[0]?.outcome };
};

test.each([1, 3, 7, Infinity])("a whole handshake of TLS 1.2 in steps of %d bytes", (step) => {
  const d = told(
    [
      [0, record(22, hello("0000000600040000 0161".replaceAll(" ", "")), "0301")],
      [1, record(22, serverHello() + message(12, "030017")) + record(22, message(14, ""))],
      [0, record(22, message(16, "00")) + CHANGE + SECRET],
      [1, CHANGE + SECRET],
    ],
    step,
  );
  expect(d.tls).toMatchObject({ version: "1.2", version_protocol: "tls", curve: "secp256r1", established: true, resumed: false });
  expect([d.outcome, d.records.length, d.records[0].at.packet, d.records[0].until?.packet]).toEqual(["success", 1, 1, 4]);
  expect([d.last[0]?.kind, d.last[1]?.kind]).toEqual(["stop", "stop"]);
});
test("a session that is resumed: no certificate, no key exchange, a change of cipher at once", () => {
  const d = told([
    [0, record(22, hello())],
    [1, record(22, serverHello()) + CHANGE + SECRET],
    [0, CHANGE + SECRET],
  ]);
  expect(d.tls).toMatchObject({ established: true, resumed: true });
});
test("TLS 1.3: a change of cipher means nothing, what follows is of type 23; a hello that is asked for again is read", () => {
  const three = "002b00020304";
  const retry = message(2, `0303cf21ad74e59a6111${"00".repeat(24)}00130100${u16(three.length / 2)}${three}`);
  const first = hello("002b0003020304");
  const d = told([
    [0, record(22, first)],
    [1, record(22, retry)],
    [0, CHANGE + record(22, first)],
    [1, record(22, serverHello("1301", three)) + CHANGE + record(23, "aa".repeat(20))],
    [0, record(23, "bb".repeat(20))],
  ]);
  expect(d.tls).toMatchObject({ version: "1.3", established: true, resumed: false });
  expect(d.records[0].hashes).toHaveLength(6);
  expect(d.records[0].hashes?.at(-1)).toBe(d.records[0].hashes?.[0]); // the second hello is the same one
});
test("a fatal alert is a failure, a warning is not; both are told with who sent them", () => {
  const refused = told([
    [0, record(22, hello())],
    [1, record(21, "0228")],
  ]);
  expect([refused.tls.alert, refused.outcome, refused.tls.established]).toEqual([["server:fatal:handshake_failure"], "failure", false]);
  const warned = told([
    [0, record(22, hello()) + record(21, "0170")],
    [1, record(22, serverHello())],
  ]);
  expect([warned.tls.alert, warned.outcome]).toEqual([["client:warning:unrecognized_name"], "unknown"]);
  const secret = told([
    [0, record(22, hello())],
    [1, record(22, serverHello()) + CHANGE + record(21, "0228")],
  ]);
  expect(secret.tls.alert).toBeUndefined(); // behind the change of cipher an alert is protected
  expect(told([[0, record(22, hello()) + record(21, "022800")]]).tls.alert).toBeUndefined();
});
test("records of nothing before the first one hide nothing", () => {
  const probe = (hex: string) => tls.probe(Buffer.from(hex, "hex"), {} as never);
  expect(probe(`${"1603010000".repeat(4)}160301000501`)).toEqual({ sure: "certain", from: "client" });
  expect(probe("1603010000")).toEqual({ sure: "unsure" });
  expect(probe(`${"1603010000".repeat(5)}160301000501`)).toEqual({ sure: "no" });
  expect(told([[0, `1603010000${record(22, hello())}`]]).tls.client.supported_ciphers).toHaveLength(1);
});
test("a message over several records, several in one record, and one that never becomes whole", () => {
  const h = hello();
  const cut = h.length / 2 - ((h.length / 2) % 2);
  expect(told([[0, record(22, h.slice(0, cut)) + record(22, h.slice(cut))]]).tls.client.supported_ciphers).toEqual([
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
  ]);
  expect(told([[0, record(22, h.slice(0, cut))]]).records).toEqual([]);
  const long = drive(tls, [[0, record(22, `01${u24(256 * 1024 + 1)}`)]]);
  expect([long.records.length, long.anomalies]).toEqual([1, ["tls-handshake-too-long"]]);
  expect(drive(tls, [[0, record(22, `01${u24(256 * 1024)}`)]]).anomalies).toEqual([]);
});
test("what is no record", () => {
  const bad = (hex: string): string[] => drive(tls, [[0, record(22, hello()) + hex]]).anomalies;
  expect(bad("1503030002022817")).toEqual([]);
  expect(bad("13030300020228")).toEqual(["tls-record-invalid"]);
  expect(bad("19030300020228")).toEqual(["tls-record-invalid"]);
  expect(bad("1803030001aa")).toEqual([]); // heartbeat
  expect(bad("15020300020228")).toEqual(["tls-record-invalid"]);
  expect(bad(`160303${u16(16384 + 2048)}`)).toEqual([]);
  expect(bad(`160303${u16(16384 + 2049)}`)).toEqual(["tls-record-too-long", "tls-record-too-long"]);
  expect(drive(tls, [[0, record(22, message(1, "0303"))]]).anomalies).toEqual(["tls-hello-malformed"]);
  expect(
    drive(tls, [
      [0, record(22, hello())],
      [1, record(22, message(2, "0303"))],
    ]).anomalies,
  ).toEqual(["tls-hello-malformed"]);
});
test("a hello in SSL 2 form; one whose lists do not fit", () => {
  const form = (specs: string, size = 9 + specs.length / 2 + 16): string =>
    `80${size.toString(16).padStart(2, "0")}010301${u16(specs.length / 2)}00000010${specs}${"33".repeat(16)}`;
  const d = drive(tls, [[0, form("00002f010080")]]);
  expect([d.records.length, d.anomalies, d.last[0]]).toEqual([1, ["tls-sslv2-hello"], { kind: "ok", consumed: 2 + 31 }]);
  expect(drive(tls, [[0, form("00002f010080").slice(0, -2)]]).last[0]).toEqual({ kind: "need", consumed: 0, need: 33 });
  expect(drive(tls, [[0, "80090103010009000000 10".replaceAll(" ", "")]]).anomalies).toEqual(["tls-hello-malformed"]);
  expect(tls.probe(Buffer.from(form("00002f010080"), "hex"), {} as never)).toEqual({ sure: "certain", from: "client" });
  expect(tls.probe(Buffer.from(form("00002f010080", 32), "hex"), {} as never)).toEqual({ sure: "no" });
  expect(tls.probe(Buffer.from(form("00002f0100"), "hex"), {} as never)).toEqual({ sure: "no" });
});
test("a hole ends a side; application data alone is no handshake", () => {
  const d = told([
    [0, record(22, hello())],
    [1, null],
    [0, null],
  ]);
  expect([d.outcome, d.tls.established, d.tls.version]).toEqual(["unknown", false, "1.2"]);
  expect(
    drive(tls, [
      [0, record(23, "aa")],
      [1, record(23, "bb")],
    ]).records,
  ).toEqual([]);
});
test.each([
  ["16", "unsure", undefined],
  ["1603", "unsure", undefined],
  ["1604", "no", undefined],
  ["17", "no", undefined],
  ["80", "unsure", undefined],
  ["160301", "unsure", undefined],
  ["160301002001", "certain", "client"],
  ["160301002002", "certain", "server"],
  ["16030100200b", "certain", undefined],
  ["160304002001", "certain", "client"],
  ["160305002001", "no", undefined],
  ["160401002001", "no", undefined],
  ["160301000001", "no", undefined],
  [`160301${u16(16384 + 2048)}01`, "certain", "client"],
  [`160301${u16(16384 + 2049)}01`, "no", undefined],
  ["140301000101", "certain", undefined],
  ["140301000201", "no", undefined],
  ["140301000102", "no", undefined],
  ["150301000201", "certain", undefined],
  ["150301000202", "certain", undefined],
  ["150301000203", "unsure", undefined],
  ["150301001502", "unsure", undefined],
  ["170303002001", "certain", undefined],
  ["180303002001", "no", undefined],
  ["130303002001", "no", undefined],
] as const)("first bytes %s: %s", (hex, sure, from) => {
  const v = tls.probe(Buffer.from(hex, "hex"), {} as never);
  expect([v.sure, v.from]).toEqual([sure, from]);
});
