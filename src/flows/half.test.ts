/** One side of a stream against the plainest model there is: an array of bytes, each with the packet that brought it. */
import fc from "fast-check";
import type { At } from "../decoders/contract.js";
import { Half } from "./half.js";

const at = (packet: number): At => ({ packet, seconds: 0, nanos: 0 });
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("append" as const), n: fc.integer({ min: 1, max: 3000 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("consume" as const), n: fc.nat(4000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("clear" as const), n: fc.constant(0) }) },
);

test("whatever comes and goes: the bytes at hand, where they stand, and who brought them", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const half = new Half();
      let model: { byte: number; packet: number }[] = [];
      let pos = 0;
      let end = 0;
      let packet = 0;
      for (const s of steps) {
        if (s.kind === "append") {
          packet++;
          const window = new Uint8Array(s.n + 7); // the bytes lie somewhere in a window, which is overwritten afterwards
          for (let i = 0; i < s.n; i++) window[7 + i] = (packet * 31 + i) & 255;
          if (model.length === 0) pos = end;
          half.append(window.subarray(7), end, at(packet));
          for (let i = 0; i < s.n; i++) model.push({ byte: window[7 + i], packet });
          end += s.n;
          expect(half.bytes()[0]).toBe(model[0].byte); // before it is kept
          half.keep();
          window.fill(0xee);
        } else if (s.kind === "consume") {
          const n = Math.min(s.n, model.length);
          half.consume(n);
          model = model.slice(n);
          pos += n;
        } else {
          half.clear();
          model = [];
          pos = end;
        }
        expect(half.available).toBe(model.length);
        expect(Buffer.from(half.bytes()).equals(Buffer.from(model.map((m) => m.byte)))).toBe(true);
        if (model.length) {
          expect(half.pos).toBe(pos);
          for (const i of [0, 1, model.length >> 1, model.length - 1])
            if (i < model.length) expect([i, half.packetOf(i).packet]).toEqual([i, model[i].packet]);
        }
      }
    }),
    { numRuns: 200, seed: 20261124 },
  );
});
