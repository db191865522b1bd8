/** Which page is shown: the part of the address behind #. */
import { NotLoggedIn } from "./api.js";
import { captures } from "./captures.js";
import { h } from "./dom.js";
import { filters } from "./filters.js";
import { flow } from "./flow.js";
import { login, who } from "./login.js";
import { overview } from "./overview.js";
import { people } from "./people.js";
import { records } from "./records.js";
import { schedules } from "./schedules.js";
import { topology } from "./topology.js";

let page = document.getElementById("page") as HTMLElement;
let alive = new AbortController();

async function show(): Promise<void> {
  alive.abort();
  alive = new AbortController();
  const { signal } = alive;
  // What an earlier page still waits for is drawn where nobody sees it.
  const fresh = page.cloneNode() as HTMLElement;
  page.replaceWith(fresh);
  page = fresh;
  const [path, search = ""] = location.hash.replace(/^#/, "").split("?");
  const p = new URLSearchParams(search);
  const parts = path.split("/").filter(Boolean);
  for (const a of document.querySelectorAll("nav a")) {
    if (a.getAttribute("href") === `#/${parts[0] ?? ""}`) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  }
  try {
    await who(document.getElementById("session") as HTMLElement, () => void show());
    if (parts[0] === "capture") await overview(fresh, parts[1], p);
    else if (parts[0] === "records") await records(fresh, p);
    else if (parts[0] === "flow") await flow(fresh, parts[1]);
    else if (parts[0] === "topology") await topology(fresh, p, signal);
    else if (parts[0] === "filters") filters(fresh, p);
    else if (parts[0] === "schedules") await schedules(fresh, signal);
    else if (parts[0] === "people") await people(fresh);
    else await captures(fresh, signal);
  } catch (error) {
    if (error instanceof NotLoggedIn) return login(fresh, () => void show());
    fresh.replaceChildren(h("h1", {}, "That did not work"), h("p", { class: "bad" }, (error as Error).message));
  }
}
addEventListener("hashchange", () => void show());
void show();
