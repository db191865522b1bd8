/** ARP messages of every operation, and those that do not fit their own lengths. */
import type { At, Emission } from "../contract.js";
import { arp } from "./index.js";

const at: At = { packet: 1, seconds: 0, nanos: 0 };
function run(hex: string): { record: Emission | undefined; anomalies: unknown[] } {
  let record: Emission | undefined;
  const anomalies: unknown[] = [];
  arp(Buffer.from(hex.replace(/ /g, ""), "hex"), at, {
    record: (e) => {
      record = e;
    },
    anomaly: (name, _at, detail) => anomalies.push([name, detail]),
  });
  return { record, anomalies: [...anomalies, ...(record?.anomalies ?? [])] };
}
const message = (operation: string): string => `0001 0800 06 04 ${operation} 020000000001 c0000201 000000000000 c0000202`;
const said = (r: Emission | undefined) => (r?.body as { arp: { op_code: string; sender?: object; target?: object } } | undefined)?.arp;

test.each([
  ["0001", "request"],
  ["0002", "reply"],
  ["0003", "request-reverse"],
  ["0004", "reply-reverse"],
  ["0005", "drarp-request"],
  ["0006", "drarp-reply"],
  ["0007", "drarp-error"],
  ["0008", "inarp-request"],
  ["0009", "inarp-reply"],
  ["000a", "arp-nak"],
  ["000b", "11"],
  ["0000", "0"],
])("operation %s is %s", (operation, name) => {
  const { record, anomalies } = run(message(operation));
  expect(said(record)).toEqual({
    op_code: name,
    sender: { mac: "02-00-00-00-00-01", ip: "192.0.2.1" },
    target: { mac: undefined, ip: "192.0.2.2" },
  });
  expect([record?.ips, anomalies]).toEqual([["192.0.2.1", "192.0.2.2"], []]);
});
test("one byte short, and lengths that are not those of Ethernet and IPv4", () => {
  expect(run(message("0001").slice(0, -2))).toEqual({
    record: undefined,
    anomalies: [["arp-truncated", { offset: 24, needed: 4, had: 3 }]],
  });
  const long = run("0001 0800 08 04 0001 0200000000010000 c0000201 0000000000000000 c0000202");
  expect([said(long.record)?.sender, long.anomalies]).toEqual([{ mac: undefined, ip: "192.0.2.1" }, ["arp-addresses-unusual"]]);
  const other = run("0001 0806 06 04 0001 020000000001 c0000201 000000000000 c0000202");
  expect([said(other.record), other.anomalies]).toEqual([
    { op_code: "request", sender: { mac: "02-00-00-00-00-01", ip: undefined }, target: undefined },
    ["arp-addresses-unusual"],
  ]);
  const six = run("0001 86dd 06 10 0001 020000000001 20010db8000000000000000000000001 020000000002 20010db8000000000000000000000002");
  expect([said(six.record)?.target, six.anomalies]).toEqual([{ mac: "02-00-00-00-00-02", ip: undefined }, ["arp-addresses-unusual"]]);
});
