/** The captures: drop files, see how far each is, what it came to. */
import { type Capture, get, send, type Session, upload, whoAmI } from "./api.js";
import { h, note, number, size, time } from "./dom.js";

const WORDS: Record<string, string> = { queued: "waiting for its turn", surveying: "reading", decoding: "decoding", indexing: "writing records", done: "done", failed: "failed", cancelled: "cancelled" };

export async function captures(page: HTMLElement, alive: AbortSignal): Promise<void> {
  const me = await whoAmI();
  const list = h("div", { id: "captures" });
  const named = me.cases.filter((c) => c !== "*");
  const into = named.length > 1 ? h("select", { id: "case" }, ...named.map((c) => h("option", {}, c))) : undefined;
  const sending = h("div");
  const input = h("input", { type: "file", multiple: true, id: "files", onchange: () => take(input.files) });
  const drop = h(
    "section",
    { class: "drop", "aria-label": "Upload" },
    h("p", {}, h("strong", {}, "Drop captures here"), " (pcap, pcapng, also .gz and .zst), or ", h("label", { for: "files" }, "choose files: "), input, ...(into ? [h("label", { for: "case" }, " for the case "), into] : [])),
    h("p", { class: "soft" }, "or: curl -T capture.pcap ", location.origin, "/api/captures/"),
  );
  const take = (files: FileList | null): void => {
    for (const f of files ?? []) void one(f);
  };
  const one = async (f: File): Promise<void> => {
    const bar = h("progress", { max: 1, value: 0, "aria-label": `upload of ${f.name}` });
    const line = h("div", { class: "card" }, `sending ${f.name}, ${size(f.size)}`, bar);
    sending.append(line);
    try {
      show(await upload(f, into?.value ?? "", (p) => {
        bar.value = p;
      }));
      line.remove();
    } catch (error) {
      line.replaceChildren(h("span", { class: "bad" }, (error as Error).message));
    }
  };
  drop.addEventListener("dragover", (e) => {
    e.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (e) => {
    e.preventDefault();
    drop.classList.remove("over");
    take(e.dataTransfer?.files ?? null);
  });
  const cards = new Map<string, HTMLElement>();
  /** When a capture was first seen in the stage it is in, and how far it was. */
  const stages = new Map<string, { status: string; at: number; progress: number }>();
  /** Seconds that the stage still takes, if it goes on as it did. */
  const left = (c: Capture): number | undefined => {
    const s = stages.get(c.id);
    if (s?.status !== c.status) {
      stages.set(c.id, { status: c.status, at: Date.now(), progress: c.progress });
      return undefined;
    }
    const done = c.progress - s.progress;
    return done > 0 ? ((Date.now() - s.at) / 1000 / done) * (1 - c.progress) : undefined;
  };
  const show = (c: Capture): void => {
    const old = cards.get(c.id);
    if (c.status === "deleted") {
      stages.delete(c.id);
      old?.remove();
      cards.delete(c.id);
      return;
    }
    const fresh = card(c, left(c), me, () => show({ ...c, status: "deleted" }), show);
    cards.set(c.id, fresh);
    if (old) old.replaceWith(fresh);
    else list.prepend(fresh);
  };
  page.replaceChildren(h("h1", {}, "Captures"), ...(me.role === "viewer" ? [] : [drop]), sending, list);
  const { captures: all } = await get<{ captures: Capture[] }>("/api/captures");
  if (alive.aborted) return;
  for (const c of all.reverse()) show(c);
  if (!all.length) list.append(h("p", { class: "soft", id: "none" }, "No capture yet."));
  const events = new EventSource("/api/events");
  events.addEventListener("capture", (e) => {
    document.getElementById("none")?.remove();
    show(JSON.parse((e as MessageEvent).data));
  });
  // Between two steps the share moves on.
  const timer = setInterval(async () => {
    for (const e of list.querySelectorAll<HTMLElement>("[data-moving]")) {
      const c = await get<Capture>(`/api/captures/${e.dataset.moving}`).catch(() => undefined);
      if (c) show(c);
    }
  }, 500);
  alive.addEventListener("abort", () => {
    events.close();
    clearInterval(timer);
  });
}

export function accountingText(a: any): string {
  const lost = Object.entries(a.undecodable as Record<string, number>);
  const n = lost.reduce((x, [, v]) => x + v, 0);
  return `${number(a.read)} packets = ${number(a.decoded)} decoded + ${number(a.filtered)} filtered + ${number(n)} undecodable${lost.length ? ` (${lost.map(([k, v]) => `${k} ${number(v)}`).join(", ")})` : ""} + ${number(a.duplicate)} duplicate`;
}

function card(c: Capture, left: number | undefined, me: Session, gone: () => void, changed: (c: Capture) => void): HTMLElement {
  const cases = Object.entries(c.cases ?? {});
  const said = cases[0]?.[1];
  const held = cases.find(([, m]) => m.hold)?.[1].hold;
  const change = async (what: object): Promise<void> => {
    try {
      changed(await send("PATCH", `/api/captures/${c.id}`, what));
    } catch (error) {
      note((error as Error).message);
    }
  };
  const describe = (): void => {
    const tags = prompt("Tags, with commas", said?.tags?.join(", ") ?? "");
    if (tags === null) return;
    const text = prompt("Note", said?.note ?? "");
    void change({ tags: tags.split(",").map((t) => t.trim()).filter(Boolean), ...(text !== null && { note: text }) });
  };
  const job = async (what: "cancel" | "retry"): Promise<void> => {
    try {
      changed(await send("POST", `/api/jobs/${c.id}/${what}`));
    } catch (error) {
      note((error as Error).message);
    }
  };
  const hold = (): void => {
    const why = held ? null : prompt("Why must it not be deleted?", "evidence");
    if (held || why) void change({ hold: why });
  };
  const moving = ["queued", "surveying", "decoding", "indexing"].includes(c.status);
  const s = c.summary;
  const odd = Object.entries((c.digest?.anomalies ?? {}) as Record<string, number>).sort((a, b) => b[1] - a[1]);
  return h(
    "article",
    { class: "card", "data-id": c.id, "data-status": c.status, "data-moving": moving ? c.id : undefined },
    h(
      "div",
      { class: "row" },
      h("h2", { class: "grow" }, ["done", "failed"].includes(c.status) || c.live ? h("a", { href: `#/capture/${c.id}` }, c.name) : c.name),
      h("span", { class: c.status === "failed" ? "bad" : "soft" }, c.live ? "recording" : `${WORDS[c.status] ?? c.status}${left === undefined ? "" : `, about ${Math.ceil(left)} s left`}`),
      h("span", { class: "soft" }, `${c.live ? "since" : `${size(c.bytes)},`} ${time(c.added).slice(0, 16)}`),
      ...(me.role === "viewer"
        ? []
        : [
            moving && !c.live && h("button", { "aria-label": `cancel the import of ${c.name}`, onclick: () => void job("cancel") }, "Cancel"),
            ["failed", "cancelled"].includes(c.status) && h("button", { "aria-label": `import ${c.name} again`, onclick: () => void job("retry") }, "Try again"),
            h("button", { "aria-label": `tags and note of ${c.name}`, onclick: describe }, "Tags"),
            h("button", { "aria-label": `${held ? "release" : "hold"} ${c.name}`, onclick: hold }, held ? "Release" : "Hold"),
            !held && h("button", { class: "delete", "aria-label": `delete ${c.name}`, onclick: () => void remove(c, gone) }, "Delete"),
          ]),
    ),
    (said?.tags?.length || said?.note || held || (cases.length && cases[0][0] !== "default")) &&
      h(
        "p",
        { class: "soft" },
        ...cases.filter(([name]) => name !== "default").map(([name]) => `case ${name} `),
        ...(said?.tags ?? []).flatMap((t) => [h("span", { class: "tag" }, t), " "]),
        said?.note,
        held && ` held: ${held.why} (${held.by}, ${held.at.slice(0, 10)})`,
      ),
    moving && !c.live && h("progress", { max: 1, value: c.progress, "aria-label": `${c.name}: ${WORDS[c.status]}` }),
    c.waiting && h("p", { class: "bad" }, c.waiting),
    c.error && h("p", { class: "bad" }, `${c.error.message}${c.error.remedy ? `; ${c.error.remedy}` : ""}`),
    s && c.status === "done" && h("div", {}, h("div", {}, accountingText(s.accounting)), odd.length > 0 && h("div", { class: "soft" }, `stands out: ${odd.slice(0, 5).map(([k, v]) => `${k} ${number(v)}`).join(", ")}`)),
  );
}
async function remove(c: Capture, gone: () => void): Promise<void> {
  if (!confirm(`Delete ${c.name}, its records and its bytes?`)) return;
  try {
    await send("DELETE", `/api/captures/${c.id}`);
    gone();
  } catch (error) {
    note((error as Error).message);
  }
}
