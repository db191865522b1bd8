/** Logging in and out, where the server asks for it. */
import { loggedIn, send, type Session, whoAmI } from "./api.js";
import { h } from "./dom.js";

export function login(page: HTMLElement, then: () => void): void {
  const name = h("input", { id: "name", autocomplete: "username", required: true });
  const password = h("input", { id: "password", type: "password", autocomplete: "current-password", required: true });
  const wrong = h("p", { class: "bad", role: "alert" });
  const form = h(
    "form",
    { class: "card login" },
    h("label", { for: "name" }, "Name"),
    name,
    h("label", { for: "password" }, "Password"),
    password,
    h("button", { class: "main" }, "Log in"),
    wrong,
  );
  form.addEventListener("submit", async (e) => {
    e.preventDefault();
    try {
      loggedIn((await send("POST", "/api/login", { name: name.value, password: password.value })) as Session);
      then();
    } catch (error) {
      wrong.textContent = (error as Error).message;
      password.select();
    }
  });
  page.replaceChildren(h("h1", {}, "Log in"), form);
  name.focus();
}

/** Shows who it is, and what only some may see. */
export async function who(place: HTMLElement, then: () => void): Promise<void> {
  const s = await whoAmI();
  const local = s.csrf === undefined;
  for (const a of document.querySelectorAll<HTMLElement>("[data-role]")) a.hidden = a.dataset.role !== s.role || (local && a.dataset.login !== undefined);
  place.replaceChildren(
    ...(local
      ? []
      : [
          h("span", { class: "soft", id: "who" }, `${s.name}, ${s.role}`),
          h("button", { id: "logout", onclick: () => void out() }, "Log out"),
        ]),
  );
  const out = async (): Promise<void> => {
    await send("POST", "/api/logout").catch(() => undefined);
    loggedIn(undefined);
    place.replaceChildren();
    then();
  };
}
