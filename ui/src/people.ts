/** For admins: who may log in, API tokens, who did what. */
import { get, send } from "./api.js";
import { h, note, time } from "./dom.js";

interface User {
  name: string;
  role: string;
  cases: string[];
}
interface Token extends User {
  id: string;
  expires?: string;
}
interface Entry {
  at: string;
  who: string;
  from: string;
  what: string;
  of: Record<string, string>;
  status: number;
}
const ROLES = ["viewer", "analyst", "admin"];

export async function people(page: HTMLElement): Promise<void> {
  const [{ users }, { tokens }, { entries }] = await Promise.all([
    get<{ users: User[] }>("/api/users"),
    get<{ tokens: Token[] }>("/api/tokens"),
    get<{ entries: Entry[] }>("/api/audit", { size: 200 }),
  ]);
  const again = (): void => void people(page);
  const told = h("p", { class: "soft", id: "told" });
  const act = async (work: Promise<unknown>): Promise<void> => {
    try {
      await work;
      again();
    } catch (error) {
      note((error as Error).message);
    }
  };
  page.replaceChildren(
    h("h1", {}, "People"),
    h(
      "section",
      { class: "card" },
      h("h2", {}, "Users"),
      list(
        ["name", "role", "cases", ""],
        users.map((u) => [u.name, u.role, u.cases.join(" "), remove(`remove ${u.name}`, () => act(send("DELETE", `/api/users/${encodeURIComponent(u.name)}`)))]),
      ),
      form("Add a user", true, (f) => act(send("PUT", `/api/users/${encodeURIComponent(f.name)}`, { role: f.role, cases: f.cases, password: f.password }))),
    ),
    h(
      "section",
      { class: "card" },
      h("h2", {}, "API tokens"),
      list(
        ["name", "role", "cases", "ends", ""],
        tokens.map((t) => [t.name, t.role, t.cases.join(" "), t.expires ? time(t.expires).slice(0, 10) : "never", remove(`remove ${t.name}`, () => act(send("DELETE", `/api/tokens/${t.id}`)))]),
      ),
      form("Add a token", false, async (f) => {
        try {
          const { token } = await send("POST", "/api/tokens", { name: f.name, role: f.role, cases: f.cases });
          told.textContent = `The token of ${f.name}, told this once: ${token}`;
        } catch (error) {
          note((error as Error).message);
        }
      }),
      told,
    ),
    h(
      "section",
      { class: "card scroll", tabindex: 0, "aria-label": "audit log" },
      h("h2", {}, "Who did what"),
      list(
        ["time", "who", "from", "what", "of", "status"],
        entries.map((e) => [time(e.at).slice(0, 19), e.who, e.from, e.what, Object.entries(e.of).map(([k, v]) => `${k}=${v}`).join(" "), e.status]),
      ),
    ),
  );
}
const remove = (label: string, act: () => void): HTMLElement => h("button", { "aria-label": label, onclick: act }, "Remove");
const list = (heads: string[], rows: (string | number | Node)[][]): HTMLElement =>
  h("table", {}, h("thead", {}, h("tr", {}, ...heads.map((x) => (x ? h("th", { scope: "col" }, x) : h("td", {}))))), h("tbody", {}, ...rows.map((r) => h("tr", {}, ...r.map((c) => h("td", {}, c))))));

interface Filled {
  name: string;
  role: string;
  cases: string[];
  password: string;
}
function form(title: string, password: boolean, done: (f: Filled) => unknown): HTMLElement {
  const input = (label: string, more: Record<string, string> = {}): HTMLInputElement => h("input", { "aria-label": `${title}: ${label}`, placeholder: label, required: true, ...more });
  const name = input("name", { autocomplete: "off" });
  const secret = input("password", { type: "password", autocomplete: "new-password", minlength: "10" });
  const cases = input("cases, or *");
  const role = h("select", { "aria-label": `${title}: role` }, ...ROLES.map((r) => h("option", {}, r)));
  const f = h("form", { class: "row" }, name, password && secret, role, cases, h("button", {}, title));
  f.addEventListener("submit", (e) => {
    e.preventDefault();
    done({ name: name.value, role: role.value, cases: cases.value.split(/[\s,]+/).filter(Boolean), password: secret.value });
  });
  return f;
}
