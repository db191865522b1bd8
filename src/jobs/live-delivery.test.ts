import { setTimeout as sleep } from "node:timers/promises";
import type { StoredRun } from "../sinks/merge.js";
import type { LiveSink } from "../sinks/sink.js";
import { LiveDelivery } from "./live-delivery.js";
import type { RunFile } from "./messages.js";

const run = (dataset: string, text: string): RunFile => ({ dataset, count: 1, longest: 1, text, keys: text });
/** Refuses `refusals` deliveries, each after it took a part of it; remembers what it was given. */
function unsteady(refusals: number): { sink: LiveSink; given: string[][]; ended: () => boolean } {
  const given: string[][] = [];
  let over = false;
  const sink: LiveSink = {
    name: "unsteady",
    begin: async () => undefined,
    async grow(more, open) {
      const texts = (runs: readonly StoredRun[]): string[] => runs.map((r) => String(r.text));
      given.push([...[...more.values()].flatMap(texts), ...texts(open)]);
      await sleep(20);
      if (given.length <= refusals) throw new Error("no room");
    },
    anew: async () => undefined,
    end: async () => {
      over = true;
    },
  };
  return { sink, given, ended: () => over };
}

test("a delivery that failed is given again as it was; what came meanwhile comes after it", async () => {
  const { sink, given, ended } = unsteady(1);
  const d = new LiveDelivery("a".repeat(64), sink, { everyMs: 1, keep: true, follow: undefined });
  d.take(run("dns", "/nothing/1"), false);
  await sleep(5);
  d.take(run("dns", "/nothing/2"), false);
  d.take(run("flow", "/nothing/open"), true);
  for (let i = 0; i < 100 && d.trouble === undefined; i++) await sleep(5);
  expect(d.trouble).toMatch(/no room/);
  await d.end([run("capture", "/nothing/3")]);
  expect(given).toEqual([["/nothing/1"], ["/nothing/1"], ["/nothing/2", "/nothing/3", "/nothing/open"]]);
  expect(d.records).toEqual({ dns: 2, capture: 1 });
  expect(d.trouble).toBeUndefined();
  expect(ended()).toBe(true);
});

test("what fails at the end fails the end", async () => {
  const { sink, ended } = unsteady(Infinity);
  const d = new LiveDelivery("a".repeat(64), sink, { everyMs: 1, keep: true, follow: undefined });
  d.take(run("dns", "/nothing/1"), false);
  await expect(d.end([])).rejects.toThrow("no room");
  expect(ended()).toBe(false);
});
