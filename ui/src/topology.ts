/** Hosts and links as a map on a canvas: circles by bytes, grouped by subnet where there are many; drag, zoom, search, click. */
import { get } from "./api.js";
import { h, number, size } from "./dom.js";
import { recordsLink } from "./top.js";

interface Node_ {
  id: string;
  bytes: number;
  hosts: number;
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
    const n = nodes.get(id) ?? { id, bytes: 0, hosts: 0, x: Math.cos(i * 2.4) * Math.sqrt(i + 1) * 22, y: Math.sin(i * 2.4) * Math.sqrt(i + 1) * 22, vx: 0, vy: 0, r: 0 };
    n.bytes += x.bytes;
    n.hosts++;
    nodes.set(id, n);
  }
  const all = [...nodes.values()];
  for (const n of all) n.r = 4 + Math.min(18, Math.log2(1 + n.bytes / 1024));
  const links = new Map<string, Edge>();
  for (const l of t.links) {
    const [a, b] = [nodes.get(of(l.source)) as Node_, nodes.get(of(l.destination)) as Node_];
    if (a === b) continue;
    const key = a.id < b.id ? `${a.id} ${b.id}` : `${b.id} ${a.id}`;
    const e = links.get(key) ?? { a, b, bytes: 0 };
    e.bytes += l.bytes;
    links.set(key, e);
  }
  const edges = [...links.values()];
  const canvas = h("canvas", { height: HEIGHT, id: "map", tabindex: 0, role: "img", "aria-label": `map of ${all.length} ${grouped ? "subnets" : noun} and ${edges.length} links` });
  const find = h("input", { type: "search", placeholder: "find an address", "aria-label": "find an address" });
  const info = h("p", { class: "soft", id: "node" }, `${number(t.hosts.length)} ${noun}, ${number(t.links.length)} links`);
  const behind = new Map<string, any>(t.hosts.map((x: any) => [x.mac, x]));
  const levels = h("a", { id: "level", href: `#/topology?${new URLSearchParams({ ...ask, group: "", level: macs ? "ip" : "mac" })}` }, macs ? "Addresses" : "Adapters (MAC)");
  const switcher = h("a", { href: `#/topology?${new URLSearchParams({ ...ask, group: grouped ? "no" : "yes" })}` }, grouped ? "Show hosts" : "Group by subnet");
  page.replaceChildren(h("h1", {}, "Topology"), h("section", { class: "card" }, h("div", { class: "row" }, h("div", { class: "grow" }, find), !macs && switcher, levels), info, canvas), table(t, ask));
  let scale = 1;
  let ox = 0;
  let oy = 0;
  let chosen: Node_ | undefined;
  let heat = 1;
  const near = (n: Node_): boolean => !chosen || n === chosen || edges.some((e) => (e.a === chosen && e.b === n) || (e.b === chosen && e.a === n));
  const step = (): void => {
    // Repulsion within cells of a grid: the cost stays in proportion to the hosts.
    const cells = new Map<string, Node_[]>();
    for (const n of all) {
      const key = `${Math.round(n.x / 90)} ${Math.round(n.y / 90)}`;
      const list = cells.get(key);
      if (list) list.push(n);
      else cells.set(key, [n]);
    }
    for (const n of all) {
      const cx = Math.round(n.x / 90);
      const cy = Math.round(n.y / 90);
      for (let i = -1; i <= 1; i++)
        for (let j = -1; j <= 1; j++)
          for (const m of (cells.get(`${cx + i} ${cy + j}`) ?? []).slice(0, 60)) {
            if (m === n) continue;
            const dx = n.x - m.x;
            const dy = n.y - m.y;
            const d2 = dx * dx + dy * dy + 1;
            n.vx += (dx / d2) * 26 * heat;
            n.vy += (dy / d2) * 26 * heat;
          }
      n.vx -= n.x * 0.0015 * heat;
      n.vy -= n.y * 0.0015 * heat;
    }
    for (const e of edges) {
      const dx = e.b.x - e.a.x;
      const dy = e.b.y - e.a.y;
      const d = Math.sqrt(dx * dx + dy * dy) + 0.1;
      const f = ((d - 120) / d) * 0.02 * heat;
      e.a.vx += dx * f;
      e.a.vy += dy * f;
      e.b.vx -= dx * f;
      e.b.vy -= dy * f;
    }
    for (const n of all) {
      if (n === held) continue;
      n.x += n.vx;
      n.y += n.vy;
      n.vx *= 0.6;
      n.vy *= 0.6;
    }
    heat *= 0.985;
  };
  const draw = (): void => {
    const style = getComputedStyle(document.documentElement);
    const width = (canvas.width = canvas.clientWidth || 1200);
    const c = canvas.getContext("2d") as CanvasRenderingContext2D;
    c.setTransform(scale, 0, 0, scale, width / 2 + ox, HEIGHT / 2 + oy);
    c.strokeStyle = style.getPropertyValue("--line");
    for (const e of edges) {
      const lit = chosen && (e.a === chosen || e.b === chosen);
      c.globalAlpha = chosen && !lit ? 0.15 : 0.9;
      c.strokeStyle = lit ? style.getPropertyValue("--accent") : style.getPropertyValue("--line");
      c.lineWidth = (0.6 + Math.log10(1 + e.bytes) / 3) / scale;
      c.beginPath();
      c.moveTo(e.a.x, e.a.y);
      c.lineTo(e.b.x, e.b.y);
      c.stroke();
    }
    for (const n of all) {
      c.globalAlpha = near(n) ? 1 : 0.2;
      c.fillStyle = n === chosen ? style.getPropertyValue("--accent") : style.getPropertyValue("--bar");
      c.beginPath();
      c.arc(n.x, n.y, n.r, 0, 7);
      c.fill();
    }
    c.fillStyle = style.getPropertyValue("--text");
    c.font = `${12 / scale}px system-ui, sans-serif`;
    const labelled = all.length > 80 && scale < 2 ? [...all].sort((x, y) => y.bytes - x.bytes).slice(0, 25) : all;
    for (const n of labelled) if (near(n)) c.fillText(n.id, n.x + n.r + 3, n.y + 4 / scale);
    c.globalAlpha = 1;
  };
  let held: Node_ | undefined;
  let pan: { x: number; y: number } | undefined;
  let moved = false;
  const place = (e: MouseEvent): { x: number; y: number } => ({ x: (e.offsetX - canvas.clientWidth / 2 - ox) / scale, y: (e.offsetY - HEIGHT / 2 - oy) / scale });
  const hit = (e: MouseEvent): Node_ | undefined => {
    const { x, y } = place(e);
    return all.find((n) => (n.x - x) ** 2 + (n.y - y) ** 2 <= (n.r + 3) ** 2);
  };
  const choose = (n: Node_ | undefined): void => {
    chosen = n;
    info.replaceChildren(
      ...(n
        ? [`${n.id}: ${size(n.bytes)}${grouped ? `, ${number(n.hosts)} hosts` : ""}${macs ? stands(behind.get(n.id)) : ""} · `, h("a", { href: recordsLink({ ...ask, q: macs ? `source.mac: "${n.id}" or destination.mac: "${n.id}"` : n.id, group: undefined, level: undefined }) }, "its records")]
        : [`${number(t.hosts.length)} ${noun}, ${number(t.links.length)} links`]),
    );
    draw();
  };
  canvas.addEventListener("pointerdown", (e) => {
    held = hit(e);
    pan = { x: e.clientX - ox, y: e.clientY - oy };
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
    draw();
  });
  canvas.addEventListener("pointerup", (e) => {
    if (!moved) choose(hit(e));
    held = pan = undefined;
  });
  canvas.addEventListener(
    "wheel",
    (e) => {
      e.preventDefault();
      scale = Math.min(8, Math.max(0.1, scale * Math.exp(-e.deltaY / 600)));
      draw();
    },
    { passive: false },
  );
  find.addEventListener("input", () => choose(find.value ? all.find((n) => n.id.includes(find.value)) : undefined));
  let frames = 0;
  const frame = (): void => {
    if (alive.aborted) return;
    if (frames++ < 300) {
      step();
      draw();
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
