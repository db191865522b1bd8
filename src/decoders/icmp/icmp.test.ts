/** Requests and their replies, what has none, and what is given up. */
import type { Emission } from "../contract.js";
import { icmp } from "./index.js";

type Told = [type: number, outcome: string | undefined, packets: (number | undefined)[]];
/** [side, bytes, clock]: a packet each. */
function run(transport: "icmp" | "ipv6-icmp", ...packets: [0 | 1, string, number?][]): { told: Told[]; last: unknown } {
  const records: Emission[] = [];
  const view = { transport, protocol: transport === "icmp" ? 1 : 58, clientPort: 0, serverPort: 0 };
  const session = icmp.open(view, { record: (e) => records.push(e), anomaly: () => undefined }, { credentials: false });
  let last: unknown;
  packets.forEach(([side, hex, clock = 0], n) => {
    last = session.data(side, Buffer.from(hex, "hex"), () => ({ packet: n + 1, seconds: clock, nanos: 0, clock }), 0);
  });
  session.end();
  return { told: records.map((r) => [(r.body as { icmp: { type: number } }).icmp.type, r.outcome, [r.at.packet, r.until?.packet]]), last };
}
const tail = "0000 0001 0002".replace(/ /g, "");

test.each([
  [8, 0],
  [13, 14],
  [15, 16],
  [17, 18],
])("type %i is answered by type %i", (asks, answers) => {
  const hex = (type: number): string => `${type.toString(16).padStart(2, "0")}00${tail}`;
  expect(run("icmp", [0, hex(asks)], [1, hex(answers)]).told).toEqual([[asks, "success", [1, 2]]]);
  expect(run("icmp", [0, hex(asks)]).told).toEqual([[asks, "unknown", [1, undefined]]]);
  expect(run("icmp", [1, hex(answers)]).told).toEqual([[answers, "unknown", [1, undefined]]]);
});
test("ICMPv6 echo pairs; the same numbers in ICMP do not", () => {
  expect(run("ipv6-icmp", [0, `8000${tail}`], [1, `8100${tail}`]).told).toEqual([[128, "success", [1, 2]]]);
  expect(run("icmp", [0, `8000${tail}`], [1, `8100${tail}`]).told.map(([type]) => type)).toEqual([128, 129]);
});
test("another sequence number is another request; asking again writes the first one", () => {
  expect(run("icmp", [0, `0800${tail}`], [1, "000000000001ffff"]).told).toEqual([
    [0, "unknown", [2, undefined]],
    [8, "unknown", [1, undefined]],
  ]);
  expect(run("icmp", [0, `0800${tail}`], [0, `0800${tail}`], [1, `0000${tail}`]).told).toEqual([
    [8, "unknown", [1, undefined]],
    [8, "success", [2, 3]],
  ]);
});
test("what has no header stops; messages without an identifier stand alone", () => {
  expect(run("icmp", [0, "080000"])).toEqual({ told: [], last: { kind: "stop", reason: "not-this-protocol" } });
  expect(run("icmp", [0, "0b000000"])).toEqual({ told: [[11, undefined, [1, undefined]]], last: { kind: "ok", consumed: 4 } });
  expect(run("icmp", [0, "08000000000100"]).told).toEqual([[8, undefined, [1, undefined]]]);
});
test("a request is given up after 60 seconds, not at 60", () => {
  expect(run("icmp", [0, `0800${tail}`, 100], [1, `0000${tail}`, 160]).told).toEqual([[8, "success", [1, 2]]]);
  expect(run("icmp", [0, `0800${tail}`, 100], [1, `0000${tail}`, 161]).told).toEqual([
    [8, "unknown", [1, undefined]],
    [0, "unknown", [2, undefined]],
  ]);
});
