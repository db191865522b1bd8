import { decoders } from "../decoders/registry.js";
import { briefOf, originKnown, read, recall, written } from "./brief.js";
import { DatagramFlow } from "./datagram-flow.js";
import { Flow } from "./flow.js";

const flow = (packed: number): Flow => new Flow(7, 1, packed, (5000 << 16) | 53, 0, "192.0.2.1\t192.0.2.53\t\t\t\t\t\t\t00");

test("a brief tells what was found, and another process can read it", () => {
  const one = flow(6 | 0x20000);
  one.found("http");
  one.found("tls");
  one.client(1);
  const brief = briefOf(one) as number;
  const other = flow(6);
  recall(other, read(JSON.parse(JSON.stringify(written(brief)))));
  expect([other.protocols, other.flip, other.reversed, originKnown(brief)]).toEqual([["http", "tls"], 1, false, true]);
});

test("what a proxy says of a connection stands behind what the connection is", () => {
  const one = flow(6);
  one.found("proxy");
  one.found("http");
  one.found("tls");
  expect(one.protocols).toEqual(["http", "tls", "proxy"]);
});

test("a flow with an oddity is not to be told briefly", () => {
  const one = flow(6);
  one.note("tcp-gap", { packet: 1, seconds: 0, nanos: 0 });
  expect(briefOf(one)).toBeUndefined();
});

test("a quiet DNS flow goes on: a question that waits meets its answer, the question of another answer is known", () => {
  const question = "03777777076578616d706c6503636f6d0000010001";
  const query = Buffer.from(`000101000001000000000000${question}`, "hex");
  const answer = Buffer.from(`000181800001000100000000${question}c00c00010001000000010004c0000201`, "hex");
  const told: string[] = [];
  const emit = {
    record: (e: { at: { packet: number }; anomalies?: readonly string[] }) => told.push(`record ${e.at.packet} ${e.anomalies ?? ""}`),
    anomaly: (n: string) => told.push(n),
  };
  const work = (f: Flow): DatagramFlow => new DatagramFlow(f, emit as never, { credentials: false }, () => undefined);
  const at = { packet: 1, seconds: 0, nanos: 0, clock: 0 };
  const f = flow(17 | 0x10000);
  const again = (from: DatagramFlow, waits: boolean): DatagramFlow => {
    const quiet = from.park();
    if (!quiet || quiet === "done") throw new Error("the flow is not quiet");
    expect([quiet.decoder, quiet.parked.waits]).toEqual([decoders.find((d) => d.name === "dns"), waits]);
    const to = work(f);
    to.resume({ decoder: quiet.decoder, parked: JSON.parse(JSON.stringify(quiet.parked)) });
    return to;
  };
  const first = work(f);
  first.data(0, query, 0, at);
  const second = again(first, true);
  second.data(1, answer, 0, { ...at, packet: 2 });
  const third = again(second, false);
  third.data(1, answer, 0, { ...at, packet: 3 });
  expect(told).toEqual(["record 1 ", "record 3 dns-answer-repeated"]);
  third.data(0, query, 0, { ...at, packet: 4 });
  again(third, true).end();
  expect(told.slice(2)).toEqual(["record 4 "]);
});
