import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_DECODE } from "./config.js";
import { Online } from "./online.js";

test("whose flow fragments are of is not kept for anybody: a capture that goes on for weeks takes no more memory", () => {
  const capture = readFileSync(join(import.meta.dirname, "..", "fixtures", "pcaps", "mixed", "everything.pcap"));
  const online = new Online(DEFAULT_DECODE, []);
  online.push(capture, false);
  expect(online.packets).toBeGreaterThan(100);
  expect((online as unknown as { survey: { patches(): Float64Array } }).survey.patches()).toHaveLength(0);
});
