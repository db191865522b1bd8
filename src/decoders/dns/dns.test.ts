/** Messages at the edges of what a header says. */
import type { At, Emission } from "../contract.js";
import { dns } from "./index.js";
import { readName } from "./names.js";

const at: At = { packet: 1, seconds: 0, nanos: 0 };
const view = { transport: "tcp", protocol: 6, clientPort: 50000, serverPort: 53 } as const;
const HEADER = "0001010000010000000000000000".slice(0, 24); // one question
const QUESTION = "0161076578616d706c6500" + "00010001"; // a.example A IN

function run(transport: "tcp" | "udp", ...messages: [0 | 1, string][]): { records: Emission[]; anomalies: string[]; progress: unknown[] } {
  const records: Emission[] = [];
  const anomalies: string[] = [];
  const session = dns.open(
    { ...view, transport },
    { record: (e) => records.push(e), anomaly: (n) => anomalies.push(n) },
    { credentials: false },
  );
  const progress = messages.map(([side, hex]) => session.data(side, Buffer.from(hex, "hex"), () => at, 0));
  session.end();
  return { records, anomalies: [...anomalies, ...records.flatMap((r) => r.anomalies ?? [])], progress };
}
const framed = (hex: string): string => (hex.length / 2).toString(16).padStart(4, "0") + hex;

test("over TCP a message of 12 bytes is one, of 11 is none, and one that is not whole yet is waited for", () => {
  expect(run("tcp", [0, framed(HEADER)])).toMatchObject({
    progress: [{ kind: "ok", consumed: 14 }],
    anomalies: ["dns-name-truncated", "dns-message-truncated"],
  });
  expect(run("tcp", [0, framed(HEADER.slice(2))])).toMatchObject({ progress: [{ kind: "stop" }], anomalies: ["dns-message-too-short"] });
  expect(run("tcp", [0, "00"]).progress).toEqual([{ kind: "need", consumed: 0, need: 2 }]);
  expect(run("tcp", [0, framed(HEADER + QUESTION).slice(0, -2)]).progress).toEqual([{ kind: "need", consumed: 0, need: 29 }]);
  expect(run("tcp", [0, framed(HEADER + QUESTION)])).toMatchObject({ progress: [{ kind: "ok", consumed: 29 }], anomalies: [] });
});
test("over TCP behind a hole, the next packet that begins with a whole message is where it goes on", () => {
  const records: Emission[] = [];
  const session = dns.open(view, { record: (e) => records.push(e), anomaly: () => undefined }, { credentials: false });
  const rest = Buffer.from("6578616d706c650000010001", "hex"); // of a message that began in the hole
  const bytes = Buffer.concat([rest, Buffer.from(framed(HEADER + QUESTION), "hex")]);
  const from = (offset: number): At => ({ ...at, packet: offset < rest.length ? 7 : 8 });
  expect(session.gap(0, 100, at)).toBe("resync");
  expect(session.data(0, bytes.subarray(0, rest.length), from, 0)).toEqual({ kind: "need", consumed: 0, need: 14 });
  expect(session.data(0, bytes.subarray(0, -1), from, 0)).toEqual({ kind: "need", consumed: rest.length, need: 29 });
  expect(session.data(0, bytes, from, 0)).toEqual({ kind: "ok", consumed: rest.length });
  expect(session.data(0, bytes.subarray(rest.length), () => at, rest.length)).toEqual({ kind: "ok", consumed: 29 });
  session.end();
  expect(records).toHaveLength(1);
  // Bytes that make no message are passed over.
  session.gap(1, 100, at);
  expect(session.data(1, Buffer.alloc(50, 0x61), () => at, 0)).toEqual({ kind: "ok", consumed: 50 });
});
test("a question and its answer are one record, a second answer another, an answer to nothing its own", () => {
  const answer = `00018180${"00010001"}00000000${QUESTION}c00c00010001000000010004c0000201`;
  const { records, anomalies } = run("udp", [0, HEADER + QUESTION], [1, answer], [1, answer], [1, `0002${answer.slice(4)}`]);
  expect(records).toHaveLength(3);
  const bodies = records.map(
    (r) => (typeof r.body === "string" ? JSON.parse(r.body) : r.body) as { dns: { id: string; resolved_ip?: string[] } },
  );
  expect(bodies.map((b) => [b.dns.id, b.dns.resolved_ip])).toEqual([
    ["1", ["192.0.2.1"]],
    ["1", ["192.0.2.1"]],
    ["2", ["192.0.2.1"]],
  ]);
  expect(anomalies).toEqual(["dns-answer-repeated"]);
});
test("bytes behind the last record are said", () => {
  expect(run("udp", [0, `${HEADER}${QUESTION}ff`]).anomalies).toEqual(["dns-trailing-bytes"]);
});
test("found by content on any port, by a header that makes sense only there", () => {
  const probe = (hex: string, port: number) => dns.probe(Buffer.from(hex, "hex"), { ...view, transport: "udp", serverPort: port }).sure;
  expect(probe(HEADER + QUESTION, 9999)).toBe("certain");
  expect(probe(`${HEADER}${QUESTION}ff`, 9999)).toBe("no");
  expect(probe(`${HEADER}${QUESTION}ff`, 53)).toBe("unsure");
  expect(probe(HEADER.slice(2), 53)).toBe("no");
  expect(dns.probe(Buffer.from(HEADER + QUESTION, "hex"), { ...view, transport: "udp", serverPort: 137 }).sure).toBe("no");
});
test("an answer comes from the server, but in multicast DNS from whom it comes from", () => {
  const answer = `00008400${"00000001"}00000000${"0161076578616d706c6500"}00010001000000010004c0000201`;
  const from = (client: number, server: number) =>
    dns.probe(Buffer.from(answer, "hex"), { ...view, transport: "udp", clientPort: client, serverPort: server }).from;
  expect([from(53, 50000), from(5353, 50000), from(5353, 5353)]).toEqual(["server", "server", undefined]);
});
test("4,096 questions wait for answers in one flow; one more, and the oldest is written without", () => {
  const ask = (n: number): [0, string] => [0, n.toString(16).padStart(4, "0") + (HEADER + QUESTION).slice(4)];
  const asked = (n: number) => run("udp", ...Array.from({ length: n }, (_, i) => ask(i)));
  expect(asked(4096).anomalies).toEqual([]);
  expect(asked(4097).anomalies).toEqual(["dns-waiting-limit"]);
});
test("a question is given up after 60 seconds, not at 60", () => {
  const answered = (later: number): (string | undefined)[] => {
    const outcomes: (string | undefined)[] = [];
    const session = dns.open(
      { ...view, transport: "udp" },
      { record: (e) => outcomes.push(e.outcome), anomaly: () => undefined },
      { credentials: false },
    );
    const say = (side: 0 | 1, hex: string, clock: number): void =>
      void session.data(side, Buffer.from(hex, "hex"), () => ({ packet: 1, seconds: clock, nanos: 0, clock }), 0);
    say(0, HEADER + QUESTION, 100);
    say(1, `00018180${"00010001"}00000000${QUESTION}c00c00010001000000010004c0000201`, 100 + later);
    session.end();
    return outcomes;
  };
  expect(answered(60)).toEqual(["success"]);
  expect(answered(61)).toEqual(["unknown", "success"]);
});
test("over TCP a header whose counts cannot be is none, also before the message is whole", () => {
  const header = (additional: string): Buffer => Buffer.from(`0100${HEADER.slice(0, 20)}${additional}`, "hex");
  const probe = (additional: string) => dns.probe(header(additional), view).sure;
  expect([probe("0000"), probe("1fff"), probe("2101"), probe("0021")]).toEqual(["unsure", "unsure", "no", "unsure"]);
});
test("a name that ends with the message: what stands there, and that it is not whole", () => {
  const read = (hex: string) => {
    const r = { bytes: Buffer.from(hex, "hex"), pos: 0, wrong: undefined as string | undefined };
    return [readName(r as never), r.wrong, r.pos];
  };
  expect(read("016100")).toEqual(["a", undefined, 3]);
  expect(read("0161")).toEqual(["a", "dns-name-truncated", 2]);
  expect(read("0261")).toEqual([".", "dns-name-truncated", 2]);
  expect(read("00")).toEqual([".", undefined, 1]);
});
test("a text that is long when written out is cut, from its beginning", () => {
  const strings = `ff${"61".repeat(255)}`.repeat(40); // TXT, 40 strings of 255 letters
  const size = (strings.length / 2).toString(16).padStart(4, "0");
  const { records } = run("udp", [1, `00018180${"00000001"}00000000${"0162"}00${"00100001"}00000000${size}${strings}`]);
  const body = records[0].body;
  const { dns: told } = (typeof body === "string" ? JSON.parse(body) : body) as { dns: { answers: { name: string; data: string }[] } };
  expect([told.answers[0].name, told.answers[0].data.length, told.answers[0].data.slice(0, 5)]).toEqual(["b", 8191, '"aaaa']);
});
