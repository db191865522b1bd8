import type { At, Emission, Session } from "../contract.js";
import { template } from "./index.js";

const at: At = { packet: 1, seconds: 0, nanos: 0 };
const view = { transport: "tcp", protocol: 6, clientPort: 50000, serverPort: 43 } as const;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Feeds each side its pieces as a stream would: what is not consumed comes again with more behind it. */
function run(client: readonly string[], server: readonly string[]): { records: Emission[]; anomalies: string[] } {
  const records: Emission[] = [];
  const anomalies: string[] = [];
  const session: Session = template.open(
    view,
    { record: (e) => records.push(e), anomaly: (name) => anomalies.push(name) },
    { credentials: false },
  );
  [client, server].forEach((pieces, side) => {
    let rest = "";
    for (const piece of pieces) {
      rest += piece;
      const p = session.data(side as 0 | 1, bytes(rest), () => at, 0);
      if (p.kind === "stop") return;
      rest = rest.slice("consumed" in p ? p.consumed : 0);
    }
  });
  session.end();
  return { records, anomalies };
}

test("a question and its answer are one record", () => {
  const { records } = run(["example.test\r\n"], ["Domain: example.test\r\n", "Status: ok\r\n"]);
  expect(records).toHaveLength(1);
  expect(records[0]).toMatchObject({
    dataset: "template",
    outcome: "success",
    body: { template: { question: "example.test", answer_bytes: 34 } },
  });
});
test("cut anywhere, the record is the same", () => {
  const whole = JSON.stringify(run(["example.test\r\n"], ["answer"]).records);
  for (let i = 1; i < 14; i++) {
    const text = "example.test\r\n";
    expect(JSON.stringify(run([text.slice(0, i), text.slice(i)], ["answer"]).records)).toBe(whole);
  }
});
test("no answer leaves the outcome unknown", () => {
  expect(run(["example.test\n"], []).records[0]?.outcome).toBe("unknown");
});
test("a line without an end is an oddity, not a question", () => {
  expect(run(["x".repeat(2000)], [])).toEqual({ records: [], anomalies: ["template-question-too-long"] });
});
test("only on its port, since any text could be a question", () => {
  expect(template.probe(bytes("example.test\r\n"), view).sure).toBe("certain");
  expect(template.probe(bytes("example.test"), view).sure).toBe("unsure");
  expect(template.probe(bytes("example.test\r\n"), { ...view, serverPort: 8080 }).sure).toBe("no");
});
