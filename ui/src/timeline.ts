/** Records over time as bars; a drag chooses a span, which everything else follows. */
import { type Ask, get } from "./api.js";
import { h, number, time } from "./dom.js";

const HEIGHT = 110;

export async function timeline(ask: Ask, chosen: (since: string | undefined, until: string | undefined) => void): Promise<HTMLElement> {
  const { interval_ms: step, buckets } = await get<{ interval_ms: number; buckets: [number, number][] }>("/api/histogram", { ...ask, buckets: 240 });
  const canvas = h("canvas", { height: HEIGHT, role: "img", "aria-label": "records over time", id: "timeline" });
  const label = h("span", { class: "soft" });
  const box = h("section", { class: "card" }, h("div", { class: "row" }, h("h2", { class: "grow" }, "Time"), label, h("button", { onclick: () => chosen(undefined, undefined) }, "Whole time")), canvas);
  if (buckets.length === 0) return box;
  const first = buckets[0][0];
  const last = buckets[buckets.length - 1][0] + step;
  const most = Math.max(...buckets.map((b) => b[1]));
  const words = (a: number, b: number): string => `${time(a)} – ${time(b)}, ${number(buckets.filter(([t]) => t >= a && t < b).reduce((n, [, c]) => n + c, 0))} records`;
  label.textContent = words(first, last);
  const draw = (from = 0, to = 0): void => {
    const width = (canvas.width = canvas.clientWidth || 1000);
    const c = canvas.getContext("2d") as CanvasRenderingContext2D;
    const style = getComputedStyle(document.documentElement);
    c.clearRect(0, 0, width, HEIGHT);
    c.fillStyle = style.getPropertyValue("--bar");
    const w = (width * step) / (last - first);
    for (const [t, n] of buckets) {
      const height = Math.max(2, (n / most) * (HEIGHT - 6));
      c.fillRect(((t - first) / (last - first)) * width, HEIGHT - height, Math.max(1, w - 1), height);
    }
    if (to > from) {
      c.globalAlpha = 0.25;
      c.fillStyle = style.getPropertyValue("--accent");
      c.fillRect(from, 0, to - from, HEIGHT);
      c.globalAlpha = 1;
    }
  };
  let begun = -1;
  const at = (e: PointerEvent): number => Math.min(canvas.clientWidth, Math.max(0, e.offsetX));
  const when = (x: number): number => first + Math.round((x / canvas.clientWidth) * (last - first));
  canvas.addEventListener("pointerdown", (e) => {
    begun = at(e);
    canvas.setPointerCapture(e.pointerId);
  });
  canvas.addEventListener("pointermove", (e) => {
    if (begun < 0) return;
    const [a, b] = [begun, at(e)].sort((x, y) => x - y);
    draw(a, b);
    label.textContent = words(when(a), when(b));
  });
  canvas.addEventListener("pointerup", (e) => {
    const [a, b] = [begun, at(e)].sort((x, y) => x - y);
    begun = -1;
    if (b - a > 3) chosen(new Date(when(a)).toISOString(), new Date(when(b)).toISOString());
  });
  requestAnimationFrame(() => draw());
  return box;
}
