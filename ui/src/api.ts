/** The server's answers. Errors are words with what to do. */
export interface Capture {
  id: string;
  name: string;
  bytes: number;
  added: string;
  status: string;
  progress: number;
  waiting?: string;
  error?: { message: string; remedy: string };
  summary?: any;
  live?: { host: string; pid: number };
  digest?: any;
  accounting?: any;
  cases?: Record<string, { by: string; tags?: string[]; note?: string; hold?: { by: string; at: string; why: string } }>;
}
export type Ask = Record<string, string | number | undefined>;

export function query(ask: Ask): string {
  const p = new URLSearchParams();
  for (const [name, value] of Object.entries(ask)) if (value !== undefined && value !== "") p.set(name, String(value));
  return p.toString();
}
export async function get<T = any>(path: string, ask: Ask = {}, signal?: AbortSignal): Promise<T> {
  const q = query(ask);
  return answer(await fetch(q ? `${path}?${q}` : path, { signal }));
}
export async function send(method: string, path: string, body?: object): Promise<any> {
  return answer(await change(path, { method, ...(body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }) }));
}
/** What a button does: a request, then the list anew; what went wrong is told. */
export const acting =
  (show: () => Promise<void>, tell: (text: string) => void) =>
  async (method: string, path: string, body?: object): Promise<void> => {
    try {
      await send(method, path, body);
      await show();
    } catch (error) {
      tell((error as Error).message);
    }
  };
export interface Session {
  name: string;
  role: "viewer" | "analyst" | "admin";
  cases: string[];
  csrf?: string;
}
let session: Session | undefined;
/** Who is logged in; throws NotLoggedIn. */
export async function whoAmI(): Promise<Session> {
  session ??= await get<Session>("/api/session");
  return session;
}
export const loggedIn = (s: Session | undefined): void => {
  session = s;
};
export class NotLoggedIn extends Error {}
/** A request that changes something: a session's proof that it comes from this page goes with it. */
const change = (path: string, init: RequestInit): Promise<Response> =>
  fetch(path, { ...init, headers: { ...(init.headers as Record<string, string>), ...(session?.csrf && { "x-csrf-token": session.csrf }) } });
async function answer(r: Response): Promise<any> {
  if (r.status === 204) return undefined;
  if (r.status === 401 && !r.url.endsWith("/api/login")) {
    session = undefined;
    throw new NotLoggedIn("log in");
  }
  const body = await r.json();
  if (!r.ok) throw new Error([body.error?.message, body.error?.remedy].filter(Boolean).join("; "));
  return body;
}
/** A file in one piece up to this size; larger ones in pieces that can be sent again. */
const WHOLE = 8 << 20;
const PIECE = 8 << 20;
/** Tries of a piece, and the pause before the next, ms; it doubles. */
const TRIES = 12;
const PAUSE = 400;
const TUS = { "tus-resumable": "1.0.0" };

/** Sends a file, with progress from 0 to 1. A connection that breaks is taken up again. */
export async function upload(file: File, into: string, progress: (part: number) => void): Promise<Capture> {
  const where = into ? `?case=${encodeURIComponent(into)}` : "";
  if (file.size <= WHOLE) {
    const c = await answer(await change(`/api/captures/${encodeURIComponent(file.name)}${where}`, { method: "PUT", body: file, headers: { "content-type": "application/octet-stream" } }));
    progress(1);
    return c;
  }
  const name = btoa(String.fromCharCode(...new TextEncoder().encode(file.name)));
  const made = await change("/api/uploads", { method: "POST", headers: { ...TUS, "upload-length": String(file.size), "upload-metadata": `filename ${name}` } });
  if (made.status !== 201) return answer(made);
  const place = `${made.headers.get("location")}${where}`;
  for (let at = 0, tries = 0; ; ) {
    try {
      const r = await change(place, {
        method: "PATCH",
        body: file.slice(at, at + PIECE),
        headers: { ...TUS, "upload-offset": String(at), "content-type": "application/offset+octet-stream" },
      });
      if (r.status >= 500 || r.status === 409 || r.status === 423) throw new Error(`the server answers ${r.status}`);
      at = Math.min(file.size, at + PIECE);
      tries = 0;
      progress(at / file.size);
      if (r.status !== 204) return answer(r);
    } catch (error) {
      if (++tries > TRIES) throw new Error(`${file.name}: the connection broke off (${(error as Error).message}); try again`);
      await new Promise((resolve) => setTimeout(resolve, Math.min(10000, PAUSE * 2 ** tries)));
      const r = await fetch(place, { method: "HEAD", headers: TUS }).catch(() => undefined);
      if (r?.status === 404 || r?.status === 410) throw new Error(`${file.name}: the server no longer knows this upload; try again`);
      const known = r?.headers.get("upload-offset");
      if (known) at = Number(known);
    }
  }
}
