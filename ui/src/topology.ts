/** Hosts and links as a map on a canvas: circles by bytes, grouped by subnet where there are many; drag, zoom, search, click. */
import { get } from "./api.js";
import { h, number, size } from "./dom.js";
import { both, is, recordsLink, topList } from "./top.js";

interface Node_ {
  id: string;
  bytes: number;
  hosts: number;
  links: number;
  x: number;
  y: number;
  vx: number;
  vy: number;
  r: number;
}
interface Edge {
  a: Node_;
  b: Node_;
  bytes: number;
}
/** More hosts than this are drawn as their subnets first. */
const MANY = 300;
const HEIGHT = 640;
/** The grid of the repulsion: a cell's side, how many cells away it reaches, how many of the own cell push, and how much. */
const CELL = 80;
const REACH = 1;
const NEAREST = 8;
const PUSH = 26;
/** Links that pull a host with their whole strength; more share it. And how far a host goes in one step. */
const PULLED = 12;
const FASTEST = 40;
const STEPS = 300;
/** More hosts than this take a step every second frame. */
const MANY_STEPS = 2000;
/** While something moves so many links are drawn, the heaviest; and how soon all are again, ms. */
const QUICK_LINKS = 1000;
const REST_MS = 150;
/** Of a link's line: in steps, so that those of one width are drawn at once. */
const widthOf = (e: Edge): number => Math.round((0.6 + Math.log10(1 + e.bytes) / 3) * 4) / 4;
const subnet = (ip: string): string => (ip.includes(":") ? `${ip.split(":").slice(0, 3).join(":")}::/48` : `${ip.split(".").slice(0, 3).join(".")}.0/24`);

export async function topology(page: HTMLElement, p: URLSearchParams, alive: AbortSignal): Promise<void> {
  const ask = Object.fromEntries(p);
  const t = await get("/api/topology", { ...ask, size: 10000 });
  const macs = p.get("level") === "mac";
  const noun = macs ? "adapters" : "hosts";
  const grouped = macs ? false : p.get("group") ? p.get("group") === "yes" : t.hosts.length > MANY;
  const of = grouped ? subnet : (ip: string): string => ip;
  const nodes = new Map<string, Node_>();
  for (const [i, x] of t.hosts.entries()) {
    const id = macs ? x.mac : of(x.ip);
    const n = nodes.get(id) ?? { id, bytes: 0, hosts: 0, links: 0, x: Math.cos(i * 2.4) * Math.sqrt(i + 1) * 22, y: Math.sin(i * 2.4) * Math.sqrt(i + 1) * 22, vx: 0, vy: 0, r: 0 };
    n.bytes += x.bytes;
    n.hosts++;
    nodes.set(id, n);
  }
  const all = [...nodes.values()];
  const shrink = all.length > 1000 ? 0.5 : 1;
  for (const n of all) n.r = shrink * (4 + Math.min(18, Math.log2(1 + n.bytes / 1024)));
  const links = new Map<string, Edge>();
  for (const l of t.links) {
    const [a, b] = [nodes.get(of(l.source)) as Node_, nodes.get(of(l.destination)) as Node_];
    if (a === b) continue;
    const key = a.id < b.id ? `${a.id} ${b.id}` : `${b.id} ${a.id}`;
    const e = links.get(key) ?? { a, b, bytes: 0 };
    e.bytes += l.bytes;
    links.set(key, e);
  }
  const edges = [...links.values()].sort((x, y) => y.bytes - x.bytes);
  const heaviest = [...all].sort((x, y) => y.bytes - x.bytes).slice(0, 25);
  for (const e of edges) {
    e.a.links++;
    e.b.links++;
  }
  const canvas = h("canvas", { height: HEIGHT, id: "map", tabindex: 0, role: "img", "aria-label": `map of ${all.length} ${grouped ? "subnets" : noun} and ${edges.length} links` });
  const find = h("input", { type: "search", placeholder: "find an address", "aria-label": "find an address" });
  const info = h("p", { class: "soft", id: "node" }, `${number(t.hosts.length)} ${noun}, ${number(t.links.length)} links`);
  const services = h("div", { class: "grid", id: "services" });
  const behind = new Map<string, any>(t.hosts.map((x: any) => [x.mac, x]));
  const levels = h("a", { id: "level", href: `#/topology?${new URLSearchParams({ ...ask, group: "", level: macs ? "ip" : "mac" })}` }, macs ? "Addresses" : "Adapters (MAC)");
  const switcher = h("a", { href: `#/topology?${new URLSearchParams({ ...ask, group: grouped ? "no" : "yes" })}` }, grouped ? "Show hosts" : "Group by subnet");
  page.replaceChildren(h("h1", {}, "Topology"), h("section", { class: "card" }, h("div", { class: "row" }, h("div", { class: "grow" }, find), !macs && switcher, levels), info, canvas), services, table(t, ask));
  let scale = 1;
  let ox = 0;
  let oy = 0;
  let chosen: Node_ | undefined;
  let heat = 1;
  let turn = 0;
  let neighbours = new Set<Node_>();
  const near = (n: Node_): boolean => !chosen || neighbours.has(n);
  const cell = (x: number, y: number): number => (x + 5000) * 10000 + y + 5000;
  const step = (): void => {
    // Repulsion by cells of a grid: those around push as one, at their middle; of the own cell a few, others each time. The cost stays in
    // proportion to the hosts. The grid lies elsewhere in each step, or its lines would be seen.
    turn++;
    const shiftX = (turn * 37) % CELL;
    const shiftY = (turn * 53) % CELL;
    const cells = new Map<number, { x: number; y: number; list: Node_[] }>();
    for (const n of all) {
      const key = cell(Math.round((n.x + shiftX) / CELL), Math.round((n.y + shiftY) / CELL));
      const c = cells.get(key);
      if (c) {
        c.x += n.x;
        c.y += n.y;
        c.list.push(n);
      } else cells.set(key, { x: n.x, y: n.y, list: [n] });
    }
    const push = (n: Node_, x: number, y: number, weight: number): void => {
      const dx = n.x - x;
      const dy = n.y - y;
      const f = (weight * PUSH * heat) / (dx * dx + dy * dy + 20);
      n.vx += dx * f;
      n.vy += dy * f;
    };
    for (const [at, n] of all.entries()) {
      const cx = Math.round((n.x + shiftX) / CELL);
      const cy = Math.round((n.y + shiftY) / CELL);
      for (let i = -REACH; i <= REACH; i++)
        for (let j = -REACH; j <= REACH; j++) {
          const c = cells.get(cell(cx + i, cy + j));
          if (!c) continue;
          const { list } = c;
          if (i || j) {
            push(n, c.x / list.length, c.y / list.length, list.length);
            continue;
          }
          const some = Math.min(list.length, NEAREST);
          for (let k = 0; k < some; k++) {
            const m = list[(at + turn * NEAREST + k) % list.length];
            if (m !== n) push(n, m.x, m.y, list.length / some);
          }
        }
      n.vx -= n.x * 0.0015 * heat;
      n.vy -= n.y * 0.0015 * heat;
    }
    for (const e of edges) {
      const dx = e.b.x - e.a.x;
      const dy = e.b.y - e.a.y;
      const d = Math.sqrt(dx * dx + dy * dy) + 0.1;
      const f = ((d - 120) / d) * 0.02 * heat;
      // Who has very many links is not torn apart by them.
      const [fa, fb] = [f * Math.min(1, PULLED / e.a.links), f * Math.min(1, PULLED / e.b.links)];
      e.a.vx += dx * fa;
      e.a.vy += dy * fa;
      e.b.vx -= dx * fb;
      e.b.vy -= dy * fb;
    }
    for (const n of all) {
      if (n === held) continue;
      n.x += Math.max(-FASTEST, Math.min(FASTEST, n.vx));
      n.y += Math.max(-FASTEST, Math.min(FASTEST, n.vy));
      n.vx *= 0.6;
      n.vy *= 0.6;
    }
    heat *= 0.985;
  };
  /** `quick`: something moves; of very many hosts the lighter links and round corners wait until it rests. */
  const draw = (quick = false): void => {
    const style = getComputedStyle(document.documentElement);
    const width = canvas.clientWidth || 1200;
    const c = canvas.getContext("2d") as CanvasRenderingContext2D;
    if (canvas.width !== width) canvas.width = width;
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.clearRect(0, 0, width, HEIGHT);
    c.setTransform(scale, 0, 0, scale, width / 2 + ox, HEIGHT / 2 + oy);
    const [line, accent, bar] = ["--line", "--accent", "--bar"].map((name) => style.getPropertyValue(name));
    const few = quick && edges.length > QUICK_LINKS;
    // One stroke for all links of a width: a path for each would take most of the time.
    const stroke = (list: readonly Edge[], colour: string, alpha: number): void => {
      c.strokeStyle = colour;
      c.globalAlpha = alpha;
      for (let from = 0; from < list.length; ) {
        const w = widthOf(list[from]);
        c.lineWidth = w / scale;
        c.beginPath();
        for (; from < list.length && widthOf(list[from]) === w; from++) {
          c.moveTo(list[from].a.x, list[from].a.y);
          c.lineTo(list[from].b.x, list[from].b.y);
        }
        c.stroke();
      }
    };
    stroke(few ? edges.slice(0, QUICK_LINKS) : edges, line, chosen ? 0.15 : 0.9);
    if (chosen) stroke(edges.filter((e) => e.a === chosen || e.b === chosen), accent, 0.9);
    const fill = (list: readonly Node_[], colour: string, alpha: number): void => {
      c.fillStyle = colour;
      c.globalAlpha = alpha;
      if (few) {
        for (const n of list) c.fillRect(n.x - n.r * 0.9, n.y - n.r * 0.9, n.r * 1.8, n.r * 1.8);
        return;
      }
      c.beginPath();
      for (const n of list) {
        c.moveTo(n.x + n.r, n.y);
        c.arc(n.x, n.y, n.r, 0, 7);
      }
      c.fill();
    };
    if (chosen) fill(all.filter((n) => !near(n)), bar, 0.2);
    fill(chosen ? all.filter(near) : all, bar, 1);
    if (chosen) fill([chosen], accent, 1);
    c.fillStyle = style.getPropertyValue("--text");
    c.font = `${12 / scale}px system-ui, sans-serif`;
    const labelled = all.length > 80 && scale < 2 ? heaviest : all;
    if (!few) for (const n of labelled) if (near(n)) c.fillText(n.id, n.x + n.r + 3, n.y + 4 / scale);
    c.globalAlpha = 1;
  };
  let asked = false;
  /** Once a frame, however often the pointer moves. */
  const soon = (): void => {
    if (asked) return;
    asked = true;
    clearTimeout(rest);
    requestAnimationFrame(() => {
      asked = false;
      draw(true);
      rest = window.setTimeout(draw, REST_MS);
    });
  };
  let rest = 0;
  let held: Node_ | undefined;
  let pan: { x: number; y: number } | undefined;
  let moved = false;
  let touched = false;
  const place = (e: MouseEvent): { x: number; y: number } => ({ x: (e.offsetX - canvas.clientWidth / 2 - ox) / scale, y: (e.offsetY - HEIGHT / 2 - oy) / scale });
  const hit = (e: MouseEvent): Node_ | undefined => {
    const { x, y } = place(e);
    return all.find((n) => (n.x - x) ** 2 + (n.y - y) ** 2 <= (n.r + 3) ** 2);
  };
  const choose = (n: Node_ | undefined): void => {
    chosen = n;
    neighbours = new Set(n ? [n, ...edges.flatMap((e) => (e.a === n ? [e.b] : e.b === n ? [e.a] : []))] : []);
    info.replaceChildren(
      ...(n
        ? [`${n.id}: ${size(n.bytes)}${grouped ? `, ${number(n.hosts)} hosts` : ""}${macs ? stands(behind.get(n.id)) : ""} · `, h("a", { href: recordsLink({ ...ask, q: macs ? `source.mac: "${n.id}" or destination.mac: "${n.id}"` : n.id, group: undefined, level: undefined }) }, "its records")]
        : [`${number(t.hosts.length)} ${noun}, ${number(t.links.length)} links`]),
    );
    draw();
    void serves(n).catch(() => undefined); // the map stands without it
  };
  /** Where flows go to the chosen host, and where its own go; of an adapter the VLANs that it is in. */
  const serves = async (n: Node_ | undefined): Promise<void> => {
    services.replaceChildren();
    if (!n || grouped) return;
    const ends = (side: string): string => is(`${side}.${macs ? "mac" : "ip"}`, n.id);
    const flows = (q: string) => ({ ...ask, dataset: "flow", group: undefined, level: undefined, q: both(ask.q, q) });
    const lists = await Promise.all([
      topList("Its ports", "destination.port", flows(ends("destination"))),
      topList("Its protocols", "network.protocol", flows(ends("destination"))),
      topList("Ports it goes to", "destination.port", flows(ends("source"))),
      macs && topList("VLANs", "network.vlan.id", flows(`(${ends("source")} or ${ends("destination")})`)),
    ]);
    if (chosen === n) services.replaceChildren(...lists.flatMap((l) => l || []));
  };
  canvas.addEventListener("pointerdown", (e) => {
    held = hit(e);
    pan = { x: e.clientX - ox, y: e.clientY - oy };
    touched = true;
    moved = false;
    canvas.setPointerCapture(e.pointerId);
  });
  canvas.addEventListener("pointermove", (e) => {
    if (!pan) return;
    moved = true;
    if (held) Object.assign(held, place(e));
    else {
      ox = e.clientX - pan.x;
      oy = e.clientY - pan.y;
    }
    soon();
  });
  canvas.addEventListener("pointerup", (e) => {
    if (!moved) choose(hit(e));
    held = pan = undefined;
  });
  canvas.addEventListener(
    "wheel",
    (e) => {
      e.preventDefault();
      touched = true;
      scale = Math.min(8, Math.max(0.1, scale * Math.exp(-e.deltaY / 600)));
      draw();
    },
    { passive: false },
  );
  find.addEventListener("input", () => choose(find.value ? all.find((n) => n.id.includes(find.value)) : undefined));
  /** All of it is seen until somebody looks closer. */
  const fit = (): void => {
    let far = 1;
    for (const n of all) far = Math.max(far, Math.abs(n.x) * (HEIGHT / (canvas.clientWidth || 1200)), Math.abs(n.y));
    scale = Math.min(1, HEIGHT / 2.1 / far);
  };
  const pace = all.length > MANY_STEPS ? 2 : 1;
  let frames = 0;
  const frame = (): void => {
    if (alive.aborted) return;
    if (frames++ < STEPS) {
      if (!pan && frames % pace === 0) step();
      if (!touched) fit();
      draw(frames < STEPS);
      requestAnimationFrame(frame);
    }
  };
  requestAnimationFrame(frame);
}

/** Which addresses an adapter has, and what that says of it. */
const stands = (x: any): string =>
  x?.addresses ? `, ${number(x.addresses)} addresses (${x.some.join(", ")}${x.addresses > x.some.length ? ", …" : ""})${x.gateway ? ": probably a gateway" : ""}` : "";

/** The same for who cannot see a map. */
function table(t: any, ask: Record<string, string>): HTMLElement {
  return h(
    "section",
    { class: "card" },
    h("h2", {}, "Heaviest links"),
    h(
      "div",
      { class: "scroll", tabindex: 0, "aria-label": "links" },
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, ...["from", "to", "flows", "packets", "bytes"].map((x) => h("th", { scope: "col" }, x)))),
        h(
          "tbody",
          {},
          ...t.links.slice(0, 200).map((l: any) =>
            h("tr", {}, h("td", {}, h("a", { href: recordsLink({ ...ask, group: undefined, level: undefined, q: `source.${ask.level ?? "ip"}: "${l.source}" and destination.${ask.level ?? "ip"}: "${l.destination}"` }) }, l.source)), h("td", {}, l.destination), h("td", {}, number(l.flows)), h("td", {}, number(l.packets)), h("td", {}, size(l.bytes))),
          ),
        ),
      ),
    ),
  );
}
