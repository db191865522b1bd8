/** `threatflow serve` as a process of its own, and what tests ask of it. */
import { type ChildProcess, spawn } from "node:child_process";
import { threatflow } from "./cluster.ts";

export type Env = Record<string, string | undefined>;
export async function serve(dir: string, env: Env, ...flags: string[]): Promise<{ url: string; child: ChildProcess }> {
  const child = spawn(threatflow, ["serve", "--port", "0", "--data", dir, ...flags], {
    env: env as NodeJS.ProcessEnv,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let text = "";
  return new Promise((resolve, reject) => {
    child.stderr.on("data", (b) => {
      text += b;
      const url = /threatflow: (http:\S+)\//.exec(text)?.[1];
      if (url) resolve({ url: url.replace("0.0.0.0", "127.0.0.1"), child });
    });
    child.on("exit", () => reject(new Error(text)));
  });
}
export const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.on("exit", () => resolve());
    child.kill("SIGTERM");
  });
export const put = async (url: string, name: string, bytes: Buffer, headers: Record<string, string> = {}): Promise<any> => {
  const r = await fetch(`${url}/api/captures/${name}`, { method: "PUT", body: new Uint8Array(bytes), headers });
  return { ...((await r.json()) as object), code: r.status };
};
export async function done(url: string, id: string, headers: Record<string, string> = {}): Promise<any> {
  for (let i = 0; i < 200; i++) {
    const c = (await (await fetch(`${url}/api/captures/${id}`, { headers })).json()) as any;
    if (["done", "failed", "cancelled"].includes(c.status)) return c;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${id} is not done`);
}
