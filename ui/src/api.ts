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
  digest?: any;
  accounting?: any;
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
export async function send(method: string, path: string): Promise<any> {
  return answer(await fetch(path, { method }));
}
async function answer(r: Response): Promise<any> {
  if (r.status === 204) return undefined;
  const body = await r.json();
  if (!r.ok) throw new Error([body.error?.message, body.error?.remedy].filter(Boolean).join("; "));
  return body;
}
/** Sends a file as it is, with progress from 0 to 1. */
export function upload(file: File, progress: (part: number) => void): Promise<Capture> {
  return new Promise((resolve, reject) => {
    const x = new XMLHttpRequest();
    x.open("PUT", `/api/captures/${encodeURIComponent(file.name)}`);
    x.upload.onprogress = (e) => progress(e.lengthComputable ? e.loaded / e.total : 0);
    x.onload = () => {
      const body = JSON.parse(x.responseText);
      if (x.status < 300) resolve(body);
      else reject(new Error([body.error?.message, body.error?.remedy].filter(Boolean).join("; ")));
    };
    x.onerror = () => reject(new Error(`${file.name}: the connection broke off; try again`));
    x.setRequestHeader("content-type", "application/octet-stream");
    x.send(file);
  });
}
