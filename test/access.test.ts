/** Who may see and do what: logins, tokens, roles, cases, and what is written down of it. On one machine and in a cluster. */
import { type ChildProcess, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { fixture, type TestCluster, testCluster, threatflow } from "./support/cluster.js";
import { done, type Env, ended, put, serve } from "./support/serve.js";

const MIXED = readFileSync(fixture("mixed/everything.pcap"));
const SSH = readFileSync(fixture("ssh/login.pcap"));
const alone = (): Env => ({ ...process.env, REDIS_URL: undefined, ELASTICSEARCH_URL: undefined, THREATFLOW_TOKEN: undefined });
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
const json = { "content-type": "application/json" };

describe.each(["one machine", "cluster"])("%s", (where) => {
  let dir: string;
  let env: Env;
  let url: string;
  let child: ChildProcess;
  let cluster: TestCluster | undefined;
  const tokens: Record<string, string> = {};
  const cli = (args: string[], input = ""): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(threatflow, [...args, "--data", dir], { env: env as NodeJS.ProcessEnv, encoding: "utf8", input });
  const token = (name: string, role: string, ...cases: string[]): string =>
    cli(["tokens", "add", name, "--role", role, ...cases.flatMap((c) => ["--case", c])]).stdout.trim();
  beforeAll(async () => {
    if (where === "cluster") {
      cluster = await testCluster();
      await cluster.worker(2);
      dir = join(cluster.dir, "data");
      env = cluster.env;
    } else {
      dir = mkdtempSync(join(tmpdir(), "threatflow-access-"));
      env = alone();
    }
    expect(cli(["users", "add", "ada", "--role", "admin", "--case", "*"], "correct horse battery\n").stderr).toBe("ada may log in\n");
    tokens.red = token("red", "analyst", "red");
    tokens.blue = token("blue", "analyst", "blue");
    tokens.viewer = token("viewer", "viewer", "red");
    tokens.both = token("both", "analyst", "red", "blue");
    ({ url, child } = await serve(dir, env));
  }, 60000);
  afterAll(async () => {
    await ended(child);
    await cluster?.close();
    if (!cluster) rmSync(dir, { recursive: true, force: true });
  });
  const get = async (path: string, headers: Record<string, string>): Promise<{ status: number; body: string }> => {
    const r = await fetch(url + path, { headers });
    return { status: r.status, body: await r.text() };
  };

  test("nobody comes in without a login; the page itself and healthz hold nothing", async () => {
    for (const path of ["/api/captures", "/api/records", "/api/events", "/api/flows/ffffffff.pcap", "/api/session", "/api/openapi.json"])
      for (const headers of [{}, bearer("tf_0123456789abcdef_x"), bearer("x"), { cookie: "threatflow_session=abc" }] as Record<
        string,
        string
      >[])
        expect([path, (await get(path, headers)).status]).toEqual([path, 401]);
    for (const path of ["/", "/ui/main.js", "/healthz"]) expect([path, (await get(path, {})).status]).toEqual([path, 200]);
    expect((await put(url, "x.pcap", MIXED)).code).toBe(401);
  });

  test("a foreign token finds nothing by any route", async () => {
    const mine = await put(url, "mine.pcap", MIXED, bearer(tokens.red));
    expect(mine).toMatchObject({ code: 201, name: "mine.pcap" });
    const { id } = await done(url, mine.id, bearer(tokens.red));
    const flow = JSON.parse((await get("/api/records?dataset=http&size=1", bearer(tokens.red))).body).records[0].flow.id;
    expect((await get(`/api/flows/${flow}.pcap`, bearer(tokens.red))).status).toBe(200);
    const made = await fetch(`${url}/api/uploads`, {
      method: "POST",
      headers: { ...bearer(tokens.red), "tus-resumable": "1.0.0", "upload-length": "12", "upload-metadata": `filename ${btoa("x")}` },
    });
    const api = JSON.parse((await get("/api/openapi.json", bearer(tokens.blue))).body);
    const walked: string[] = [];
    for (const [pattern, methods] of Object.entries(api.paths as Record<string, Record<string, object>>))
      for (const method of Object.keys(methods)) {
        if (["/api/events", "/api/login", "/api/logout"].includes(pattern)) continue; // events: below
        let path = pattern.replace("{id}", pattern.includes("flows") ? flow : id);
        if (pattern === "/api/uploads/{name}") path = new URL(made.headers.get("location") as string, url).pathname;
        path = path.replace(/\{[a-z]+\}/, "x");
        const asked = "q=*&field=network.protocol&filter=tcp";
        const body = ["put", "post", "patch"].includes(method) ? "{}" : undefined;
        const r = await fetch(`${url}${path}?${asked}`, {
          method: method.toUpperCase(),
          body,
          headers: { ...bearer(tokens.blue), ...(body && !pattern.includes("uploads") && json), "tus-resumable": "1.0.0" },
        });
        const text = await r.text();
        walked.push(`${method} ${pattern}`);
        for (const secret of [
          ...(path.includes(id) ? [] : [id]),
          "mine.pcap",
          ...(path.includes(flow) ? [] : [flow]),
          "198.51.100.2",
          "POST /post",
        ])
          expect([method, path, text.includes(secret)]).toEqual([method, path, false]);
        if (pattern.includes("{id}")) expect([method, path, r.status]).toEqual([method, path, 404]);
        if (pattern === "/api/records") expect(JSON.parse(text)).toEqual({ total: 0, records: [] });
        if (pattern === "/api/captures" && method === "get") expect(JSON.parse(text)).toEqual({ captures: [] });
        if (/users|tokens|audit|schedules|interfaces|live/.test(pattern)) expect([path, r.status]).toEqual([path, 403]);
        if (pattern === "/api/uploads/{name}" && method !== "options") expect([method, r.status]).toEqual([method, 404]);
      }
    expect(walked.length).toBeGreaterThan(25);
    expect((await get("/api/captures?case=red", bearer(tokens.blue))).status).toBe(403);
    expect((await get(`/api/records?capture=${id.slice(0, 12)}`, bearer(tokens.blue))).status).toBe(404);
    expect((await get(`/api/captures/${id}`, bearer(tokens.red))).status).toBe(200); // the walk deleted nothing
  });

  test("bytes that another case has answer as new; each case has its own name, tags and hold; the last one deletes", async () => {
    const red = await put(url, "red.pcap", SSH, bearer(tokens.red));
    await done(url, red.id, bearer(tokens.red));
    const stop = new AbortController();
    const events = await fetch(`${url}/api/events`, { headers: bearer(tokens.viewer), signal: stop.signal });
    let heard = "";
    const listening = (async () => {
      for await (const chunk of events.body as unknown as AsyncIterable<Uint8Array>) heard += Buffer.from(chunk).toString();
    })().catch(() => undefined);
    const blue = await put(url, "blue.pcap", SSH, bearer(tokens.blue));
    expect(blue).toMatchObject({ code: 201, id: red.id, name: "blue.pcap", status: "queued", progress: 0 });
    expect(await done(url, red.id, bearer(tokens.blue))).toMatchObject({ name: "blue.pcap", cases: { blue: { by: "token blue" } } });
    expect(await done(url, red.id, bearer(tokens.red))).toMatchObject({ name: "red.pcap" });
    const patch = (body: object, t: string): Promise<Response> =>
      fetch(`${url}/api/captures/${red.id}`, { method: "PATCH", body: JSON.stringify(body), headers: { ...bearer(t), ...json } });
    expect((await patch({ tags: ["c2"], note: "seen before", hold: "court" }, tokens.red)).status).toBe(200);
    expect((await patch({ tags: [""] }, tokens.red)).status).toBe(400);
    expect(JSON.stringify(await done(url, red.id, bearer(tokens.blue)))).not.toMatch(/court|"c2"|red\.pcap|token red/);
    const remove = (t: string): Promise<Response> => fetch(`${url}/api/captures/${red.id}`, { method: "DELETE", headers: bearer(t) });
    const held = await remove(tokens.red);
    expect([held.status, ((await held.json()) as any).error.message]).toEqual([409, expect.stringMatching(/case red holds it: court/)]);
    expect((await remove(tokens.viewer)).status).toBe(403);
    expect((await remove(tokens.blue)).status).toBe(204);
    expect((await get(`/api/captures/${red.id}`, bearer(tokens.blue))).status).toBe(404);
    expect(JSON.parse((await get(`/api/records?capture=${red.id}&size=0`, bearer(tokens.red))).body).total).toBeGreaterThan(3);
    expect(cli(["delete", red.id]).stderr).toMatch(/is kept: case red holds it/);
    await patch({ hold: null }, tokens.red);
    expect((await remove(tokens.red)).status).toBe(204);
    expect((await get(`/api/captures/${red.id}`, bearer(tokens.red))).status).toBe(404);
    for (let i = 0; i < 50 && !heard.includes("deleted"); i++) await new Promise((resolve) => setTimeout(resolve, 100));
    stop.abort();
    await listening;
    expect(heard).toContain(`{"id":"${red.id}","status":"deleted"}`);
    expect(heard).not.toMatch(/blue/);
    const which = await put(url, "x.pcap", SSH, bearer(tokens.both));
    expect([which.code, which.error.message]).toEqual([400, expect.stringMatching(/which case/)]);
    expect((await put(url, "x.pcap?case=blue", SSH, bearer(tokens.both))).cases).toEqual({
      blue: expect.objectContaining({ by: "token both" }),
    });
  });

  test("a session: cookie, proof against other sites, roles at once, log out; guessing is slowed down", async () => {
    const login = (name: string, password: string): Promise<Response> =>
      fetch(`${url}/api/login`, { method: "POST", headers: json, body: JSON.stringify({ name, password }) });
    expect((await login("ada", "wrong password!")).status).toBe(401);
    expect((await login("nobody", "wrong password!")).status).toBe(401);
    const r = await login("ada", "correct horse battery");
    const set = r.headers.get("set-cookie") as string;
    expect(set).toMatch(/^threatflow_session=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/);
    const cookie = { cookie: set.split(";")[0] };
    const { csrf, role } = (await r.json()) as any;
    expect(role).toBe("admin");
    const add = (more: Record<string, string>): Promise<Response> =>
      fetch(`${url}/api/users/bob`, {
        method: "PUT",
        headers: { ...cookie, ...json, ...more },
        body: JSON.stringify({ role: "viewer", cases: ["red"], password: "a long password" }),
      });
    expect((await add({})).status).toBe(403);
    expect((await add({ "x-csrf-token": "guess" })).status).toBe(403);
    expect((await add({ "x-csrf-token": csrf, origin: "http://evil.test" })).status).toBe(403);
    expect((await add({ "x-csrf-token": csrf, origin: url })).status).toBe(204);
    const bob = await login("bob", "a long password");
    const bobs = { cookie: (bob.headers.get("set-cookie") as string).split(";")[0] };
    expect((await get("/api/users", bobs)).status).toBe(403);
    expect((await get("/api/captures", bobs)).status).toBe(200);
    expect(cli(["users", "remove", "bob"]).status).toBe(0);
    expect((await get("/api/captures", bobs)).status).toBe(401);
    const out = await fetch(`${url}/api/logout`, { method: "POST", headers: { ...cookie, "x-csrf-token": csrf } });
    expect(out.status).toBe(204);
    expect((await get("/api/session", cookie)).status).toBe(401);
    const tries = await Promise.all(Array.from({ length: 14 }, () => login("eve", "not the password")));
    expect(tries.filter((t) => t.status === 429).length).toBeGreaterThanOrEqual(4);
  });

  test("what was done is written down: who, what, of what; secrets are not", async () => {
    const [id] = JSON.parse((await get("/api/captures", bearer(tokens.red))).body).captures.map((c: any) => c.id);
    await get(`/api/export?q=network.protocol:%20dns&capture=${id}&format=csv`, bearer(tokens.viewer));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const lines = cli(["audit", "--last", "1000", "--json"])
      .stdout.trim()
      .split("\n")
      .map((l) => JSON.parse(l));
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          who: "token viewer",
          what: "GET /api/export",
          status: 200,
          of: { q: "network.protocol: dns", capture: id, format: "csv" },
        }),
        expect.objectContaining({ who: "token blue", what: "DELETE /api/captures/:id", status: 204 }),
        expect.objectContaining({ who: "token viewer", what: "DELETE /api/captures/:id", status: 403 }),
        expect.objectContaining({ who: "ada", what: "POST /api/login", status: 200 }),
        expect.objectContaining({ who: "", what: "POST /api/login", status: 401, of: { name: "nobody" } }),
        expect.objectContaining({ who: "ada", what: "PUT /api/users/:user", status: 204, of: { user: "bob" } }),
        expect.objectContaining({ who: "token red", what: "GET /api/flows/:id", status: 200 }),
      ]),
    );
    const kept = JSON.stringify(lines) + cli(["tokens", "list", "--json"]).stdout + cli(["users", "list", "--json"]).stdout;
    for (const secret of ["correct horse", "a long password", ...Object.values(tokens), "scrypt"])
      expect([secret, kept.includes(secret)]).toEqual([secret, false]);
  });
});

test("beyond this machine only where one has to log in; a token from the environment does", async () => {
  const dir = mkdtempSync(join(tmpdir(), "threatflow-access-"));
  const refused = spawnSync(threatflow, ["serve", "--host", "0.0.0.0", "--port", "0", "--data", dir], {
    env: alone() as NodeJS.ProcessEnv,
    encoding: "utf8",
  });
  expect(refused.status).toBe(2);
  expect(refused.stderr).toMatch(/threatflow users add .* or set THREATFLOW_TOKEN/);
  const { url, child } = await serve(dir, { ...alone(), THREATFLOW_TOKEN: "s3cret" }, "--host", "0.0.0.0");
  for (const path of ["/api/captures", "/api/records", "/api/events"])
    expect([path, (await fetch(url + path)).status]).toEqual([path, 401]);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect((await fetch(`${url}/api/captures`, { headers: bearer("s3cret") })).status).toBe(200);
  await ended(child);
  rmSync(dir, { recursive: true, force: true });
});

test("beyond this machine nobody comes in once the last user is removed either", async () => {
  const dir = mkdtempSync(join(tmpdir(), "threatflow-access-"));
  const cli = (...args: string[]) =>
    spawnSync(threatflow, [...args, "--data", dir], { env: alone() as NodeJS.ProcessEnv, encoding: "utf8", input: "a long password\n" });
  expect(cli("users", "add", "ada", "--role", "admin").status).toBe(0);
  const { url, child } = await serve(dir, alone(), "--host", "0.0.0.0");
  expect(cli("users", "remove", "ada").status).toBe(0);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect((await fetch(`${url}/api/captures`)).status).toBe(401);
  expect((await fetch(`${url}/api/session`)).status).toBe(401);
  await ended(child);
  rmSync(dir, { recursive: true, force: true });
});

test("in the browser: log in, add a user, what a viewer sees, log out", async () => {
  const dir = mkdtempSync(join(tmpdir(), "threatflow-access-"));
  const env = alone();
  spawnSync(threatflow, ["users", "add", "ada", "--role", "admin", "--case", "*", "--data", dir], {
    env: env as NodeJS.ProcessEnv,
    input: "correct horse battery\n",
  });
  const { url, child } = await serve(dir, env);
  const browser: Browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu"],
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const login = async (name: string, password: string): Promise<void> => {
      await page.fill("#name", name);
      await page.fill("#password", password);
      await page.click("form.login button");
    };
    await page.goto(url);
    await login("ada", "wrong password");
    await page.locator(".login .bad", { hasText: "no such name" }).waitFor();
    await login("ada", "correct horse battery");
    await page.locator("#who", { hasText: "ada, admin" }).waitFor();
    await page.setInputFiles("#files", fixture("mixed/everything.pcap"));
    await page.locator('article[data-status="done"]').waitFor({ timeout: 20000 });
    await page.click(`nav a[href="#/people"]`);
    await page.fill('input[aria-label="Add a user: name"]', "vera");
    await page.fill('input[aria-label="Add a user: password"]', "a long password");
    await page.fill('input[aria-label="Add a user: cases, or *"]', "default");
    await page.getByRole("button", { name: "Add a user" }).click();
    await page.getByRole("button", { name: "remove vera" }).waitFor();
    if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, "people.png") });
    await page.click("#logout");
    await page.locator("#name").waitFor();
    if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, "login.png") });
    await page.goto(`${url}/#/`);
    await login("vera", "a long password");
    await page.locator('article[data-status="done"]').waitFor();
    expect(await page.locator("#files").count()).toBe(0);
    expect(await page.locator("article button").count()).toBe(0);
    for (const a of await page.locator("nav a[data-role=admin]").all()) expect(await a.isVisible()).toBe(false);
  } finally {
    await browser.close();
    await ended(child);
    rmSync(dir, { recursive: true, force: true });
  }
}, 60000);
