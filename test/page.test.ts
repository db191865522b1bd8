/** The server and its page as an analyst meets them: in a real browser, on one machine and in a cluster. */

import { type ChildProcess, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { type Browser, chromium, type Page } from "playwright-core";
import { fixture, type TestCluster, testCluster, threatflow } from "./support/cluster.js";
import { PCAP_HEAD, recordHead, tcpFrame } from "./support/packets.js";
import { done, ended, put, serve } from "./support/serve.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const MIXED = fixture("mixed/everything.pcap");

let browser: Browser;
beforeAll(async () => {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
});
afterAll(() => browser.close());

describe.each(["one machine", "cluster"])("%s", (where) => {
  let dir: string;
  let url: string;
  let child: ChildProcess;
  let cluster: TestCluster | undefined;
  const problems: string[] = [];
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "threatflow-page-"));
    if (where === "cluster") {
      cluster = await testCluster({ THREATFLOW_UNPACK_QUOTA: "200MB" });
      await cluster.worker(2);
      ({ url, child } = await serve(join(cluster.dir, "data"), cluster.env));
    } else
      ({ url, child } = await serve(dir, {
        ...process.env,
        REDIS_URL: undefined,
        ELASTICSEARCH_URL: undefined,
        THREATFLOW_UNPACK_QUOTA: "200MB",
      }));
  });
  afterAll(async () => {
    await ended(child);
    await cluster?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  async function open(): Promise<Page> {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, acceptDownloads: true });
    page.on("console", (m) => m.type() === "error" && problems.push(m.text()));
    page.on("pageerror", (e) => problems.push(e.message));
    page.on("request", (r) => !r.url().startsWith(url) && !r.url().startsWith("data:") && problems.push(`a request leaves: ${r.url()}`));
    page.on("dialog", (d) => void d.accept());
    await page.goto(url);
    return page;
  }
  async function accessible(page: Page): Promise<void> {
    // The page allows no script but its own: axe is put in as the developer tools do.
    await page.evaluate(AXE);
    const found = await page.evaluate(async () => {
      const r = await (globalThis as any).axe.run();
      return r.violations
        .filter((v: any) => ["serious", "critical"].includes(v.impact))
        .map((v: any) => `${v.id}: ${v.nodes[0].html.slice(0, 200)}`);
    });
    expect(found).toEqual([]);
  }

  test("upload, overview, brush, search, flow, stream, packets, topology, delete", async () => {
    const page = await open();
    await page.setInputFiles("#files", MIXED);
    const card = page.locator('article[data-status="done"]');
    await card.waitFor({ timeout: 20000 });
    expect(await card.textContent()).toContain("288 packets = 288 decoded + 0 filtered + 0 undecodable + 0 duplicate");
    await accessible(page);
    await card.locator("h2 a").click();
    await page.locator('[data-field="network.protocol"]').waitFor();
    expect(await page.locator('[data-field="network.protocol"] li').first().textContent()).toBe("dns12");
    await page.locator('[data-field="ssh.client.version"]').waitFor();
    await accessible(page);
    // The brush: the right half, which every list follows.
    const box = (await page.locator("#timeline").boundingBox()) as { x: number; y: number; width: number };
    await page.mouse.move(box.x + box.width * 0.4, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width - 1, box.y + 40, { steps: 4 });
    await page.mouse.up();
    await page.waitForURL(/since=/);
    await page.locator('[data-field="dns.question.name"]').waitFor({ state: "detached" });
    await page.locator('[data-field="url.domain"]').waitFor();
    // Each number is a link to its records.
    await page.locator('[data-field="http.response.status_code"] a', { hasText: "404" }).click();
    await page.locator("tbody tr").first().waitFor();
    expect(await page.locator("#count").textContent()).toBe("2 records");
    await page.fill("#q", "http.response.status_code: (404");
    await page.keyboard.press("Enter");
    await page.locator("#count.bad").waitFor();
    expect(await page.locator("#count").textContent()).toMatch(/a parenthesis that is not closed at character 28/);
    await page.fill("#q", "http.request.method: GET");
    await Promise.all([page.waitForResponse((r) => /api\/top.*GET/.test(r.url())), page.keyboard.press("Enter")]);
    await page.locator("#columns summary").click();
    await page.fill('#columns input[type="search"]', "body.bytes");
    await page.locator("#columns label", { hasText: "http.response.body.bytes" }).click();
    await page.locator("#columns button").click();
    await page.locator("th", { hasText: "http.response.body.bytes" }).waitFor();
    await page.evaluate(() => {
      globalThis.prompt = () => "all GETs";
    });
    await page.click("#save");
    await page.locator("#saved a", { hasText: "all GETs" }).waitFor();
    await page.goto(`${url}/#/records`);
    await page.locator("th", { hasText: "http.response.body.bytes" }).waitFor({ state: "detached" });
    await Promise.all([
      page.waitForResponse((r) => /api\/top.*GET/.test(r.url())),
      page.locator("#saved a", { hasText: "all GETs" }).click(),
    ]);
    await page.locator("th", { hasText: "http.response.body.bytes" }).waitFor();
    await accessible(page);
    await page.getByRole("button", { name: "forget all GETs" }).click();
    await page.locator("#saved a").waitFor({ state: "detached" });
    await page.fill("#q", "http.request.method: POST");
    await Promise.all([page.waitForResponse((r) => /api\/top.*POST/.test(r.url())), page.keyboard.press("Enter")]);
    await page.locator("tbody tr").first().waitFor();
    await accessible(page);
    await page.locator("tbody tr").first().press("Enter");
    await page.locator("#detail a", { hasText: "Its flow" }).click();
    await page.locator("#streams .piece").first().waitFor();
    expect(await page.locator("#streams").textContent()).toMatch(/POST \/post HTTP\/1\.1/);
    await page.locator("#streams button").click();
    expect(await page.locator("#streams pre").first().textContent()).toMatch(/^000000 {2}50 4f 53 54/);
    await page.locator("summary", { hasText: /^4 · .*Ethernet \/ IPv4 \/ TCP \/ payload/ }).click();
    await page.locator("button.field", { hasText: "destination port: 80" }).click();
    expect(await page.locator(".lit").allTextContents()).toEqual(["00", "50"]);
    expect(await page.locator(".lit-text").allTextContents()).toEqual([".", "P"]);
    await page.locator(".dump span").nth(66).click(); // byte 34, behind two rows of bytes and text: it shows its field
    expect(await page.locator("button.field:focus").textContent()).toMatch(/^source port: \d+$/);
    await accessible(page);
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#pcap")]);
    const saved = join(dir, "flow.pcap");
    await download.saveAs(saved);
    expect(spawnSync("tshark", ["-r", saved, "-Y", "http.request.method == POST"], { encoding: "utf8" }).stdout).toMatch(/POST \/post/);
    await page.goto(`${url}/#/topology`);
    await page.locator("#map").waitFor();
    // Hosts are drawn where one looks.
    const drawn = `(() => { const c = document.getElementById("map"); return c.getContext("2d").getImageData(0, 0, c.width, c.height).data.some((x) => x > 0); })()`;
    while (!(await page.evaluate(drawn))) await sleep(50); // (waitForFunction evaluates in the page, which the page's policy forbids)
    expect(await page.locator("#node").textContent()).toMatch(/4 hosts, 3 links/);
    await page.fill('input[aria-label="find an address"]', "198.51.100.2");
    expect(await page.locator("#node").textContent()).toMatch(/198\.51\.100\.2: .*its records/);
    await page.locator("#services section", { hasText: "Its ports" }).getByRole("link", { name: "443" }).waitFor();
    await accessible(page);
    await page.click("#level");
    await page.locator("#node", { hasText: "adapters" }).waitFor();
    await page.fill('input[aria-label="find an address"]', "02-00-5E-00-53-01");
    expect(await page.locator("#node").textContent()).toMatch(/02-00-5E-00-53-01: .*addresses \(.*198\.51\.100\.1/);
    await accessible(page);
    await page.goto(`${url}/#/`);
    await page.locator("article button.delete").click();
    await page.locator("article").waitFor({ state: "detached" });
    await page.close();
    expect(problems.filter((p) => !/status of 400/.test(p))).toEqual([]);
  }, 90000);

  test("live: start, watch, stop, and what was recorded", async () => {
    const page = await open();
    await page.goto(`${url}/#/schedules`);
    await page.selectOption('select[aria-label="interface (live)"]', "lo");
    await page.fill('input[aria-label="filter, e.g. not port 22 (live)"]', "udp port 9");
    await page.getByRole("link", { name: "Explain" }).first().click();
    await page.locator("pre", { hasText: /destination port|\(000\)/ }).waitFor();
    await page.goBack();
    await page.selectOption('select[aria-label="interface (live)"]', "lo");
    await page.fill('input[aria-label="filter, e.g. not port 22 (live)"]', "udp port 9");
    await page.getByRole("button", { name: "Start" }).click();
    const card = page.locator("#live article");
    await card.waitFor();
    const socket = createSocket("udp4");
    const chatter = setInterval(() => socket.send("tick", 9, "127.0.0.1"), 20);
    if (process.getuid?.() === 0) {
      await card.locator("p", { hasText: /[1-9][0-9]* packets, .*, [1-9][0-9]*\/s, 0 dropped, 1 segments/ }).waitFor({ timeout: 20000 });
      await accessible(page);
      if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, "live.png") });
      // What came so far can be looked at while it goes on.
      await card.getByRole("link", { name: "what came so far" }).click();
      await page.locator("#summary", { hasText: "being recorded" }).waitFor();
      const talker = page.locator(".grid", { hasText: "127.0.0.1" });
      for (let i = 0; i < 40 && !(await talker.count()); i++) {
        await sleep(500);
        await page.getByRole("button", { name: "Look again" }).click();
      }
      await talker.first().waitFor();
      await page.goto(`${url}/#/captures`);
      await page.locator(".card", { hasText: "recording" }).waitFor();
      if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, "recording.png") });
      await page.goto(`${url}/#/schedules`);
      await page.getByRole("button", { name: "Stop" }).click();
      await card.locator("span", { hasText: "done" }).waitFor({ timeout: 20000 });
      await card.locator("a").click();
      await page.locator("h1", { hasText: "lo" }).waitFor();
    } else await card.locator("p", { hasText: /not permitted/ }).waitFor({ timeout: 20000 });
    clearInterval(chatter);
    socket.close();
    await page.close();
    for (const body of [{ interface: "lo; reboot" }, { interface: "lo", filter: "@/etc/passwd" }, { interface: "lo", rotate: "--hold" }]) {
      const r = await fetch(`${url}/api/live`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      expect([body, r.status]).toEqual([body, 400]);
    }
  }, 90000);

  test("schedules: add, run now, what came of it, pause, remove", async () => {
    const page = await open();
    await page.goto(`${url}/#/schedules`);
    await page.selectOption('select[aria-label="interface"]', "lo");
    await page.fill('input[aria-label="or every so many seconds"]', "3600");
    await page.fill('input[aria-label="seconds to record"]', "1");
    await page.fill('input[aria-label="filter, e.g. not port 22"]', "udp port 9 and port 10");
    await page.getByRole("button", { name: "Add" }).click();
    const card = page.locator("#schedules article");
    await card.waitFor();
    expect(await card.textContent()).toContain("-i lo --duration 1s --filter udp port 9 and port 10");
    await accessible(page);
    if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, "schedules.png") });
    await page.getByRole("button", { name: "Run now" }).click();
    await card.locator("td", { hasText: /no packet came|not permitted/ }).waitFor({ timeout: 20000 });
    await page.getByRole("button", { name: "Pause" }).click();
    await card.locator("span", { hasText: "paused" }).waitFor();
    await page.getByRole("button", { name: "Remove" }).click();
    await card.waitFor({ state: "detached" });
    await page.close();
    for (const body of [
      { interface: "lo", duration_s: 1 },
      { interface: "lo; reboot", duration_s: 1, every_s: 60 },
      { interface: "lo", duration_s: 1, every_s: 60, filter: "@/etc/passwd" },
      { interface: "lo", duration_s: 1, every_s: 60, keep: "--hold" },
      { interface: "lo", duration_s: 120, every_s: 60 },
    ]) {
      const r = await fetch(`${url}/api/schedules`, {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
      });
      expect([body, r.status]).toEqual([body, 400]);
    }
  }, 60000);

  test("the contract: curl -T, status, records, flow pcap, healthz", async () => {
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const r = spawnSync("curl", ["-s", "-T", MIXED, `${url}/api/captures/f.pcap`], { encoding: "utf8" });
    const { id } = JSON.parse(r.stdout);
    const c = await done(url, id);
    expect(c).toMatchObject({ id, status: "done", progress: 1, accounting: { read: 288, decoded: 288 } });
    const found = (await (
      await fetch(`${url}/api/records?q=${encodeURIComponent("dns.response_code: NXDOMAIN")}&dataset=dns&capture=${id}&size=5`)
    ).json()) as any;
    expect(found.total).toBe(1);
    expect(found.records[0].dns.question.name).toBe("none.example");
    const pcap = Buffer.from(await (await fetch(`${url}/api/flows/${found.records[0].flow.id}.pcap`)).arrayBuffer());
    expect(pcap.readUInt32LE(0)).toBe(0xa1b2c3d4);
    expect((await put(url, "again.pcap", readFileSync(MIXED))).code).toBe(200);
    expect((await put(url, "x.pcap.gz", gzipSync(readFileSync(fixture("ssh/login.pcap"))))).code).toBe(201);
    const api = (await (await fetch(`${url}/api/openapi.json`)).json()) as any;
    expect(api.openapi).toBe("3.1.0");
    expect(Object.keys(api.paths)).toEqual(expect.arrayContaining(["/api/captures/{id}", "/api/records", "/api/flows/{id}"]));
  });

  test("a large upload whose connection is cut completes by itself", async () => {
    const big = join(dir, "big.pcap");
    const one = readFileSync(MIXED);
    writeFileSync(big, Buffer.concat([one, ...Array.from({ length: 400 }, () => one.subarray(24))]));
    const page = await open();
    let cuts = 0;
    await page.route("**/api/uploads/**", (route) =>
      route.request().method() === "PATCH" && ++cuts % 2 === 1 && cuts < 11 ? route.abort("connectionreset") : route.continue(),
    );
    await page.setInputFiles("#files", big);
    await page.locator("article", { hasText: "big.pcap" }).and(page.locator('[data-status="done"]')).waitFor({ timeout: 90000 });
    expect(cuts).toBeGreaterThan(5);
    expect(await page.locator("article", { hasText: "big.pcap" }).textContent()).toContain("115,488 packets = 115,488 decoded");
    await page.close();
    const refused = await fetch(`${url}/api/uploads`, {
      method: "POST",
      headers: { "tus-resumable": "1.0.0", "upload-length": "12", "upload-metadata": `filename ${btoa("x.txt")}` },
    });
    const last = await fetch(new URL(refused.headers.get("location") as string, url), {
      method: "PATCH",
      body: "hello, hello",
      headers: { "tus-resumable": "1.0.0", "upload-offset": "0", "content-type": "application/offset+octet-stream" },
    });
    expect([last.status, ((await last.json()) as any).error.code]).toEqual([415, "NOT_A_CAPTURE"]);
  }, 120000);

  test("an import is stopped, and done again with the options it had; a capture is analysed again with others", async () => {
    const post = async (path: string): Promise<any> => {
      const r = await fetch(`${url}${path}`, { method: "POST" });
      return { code: r.status, ...((await r.json()) as object) };
    };
    const get = async (path: string): Promise<any> => (await fetch(`${url}${path}`)).json();
    const one = readFileSync(MIXED);
    const { id } = await put(url, "stopped.pcap", Buffer.concat([one, ...Array.from({ length: 500 }, () => one.subarray(24))]));
    expect((await get("/api/jobs")).jobs).toMatchObject([{ id, name: "stopped.pcap" }]);
    expect(await post(`/api/jobs/${id}/cancel`)).toMatchObject({ code: 200, status: "cancelled" });
    expect(await get(`/api/captures/${id}`)).toMatchObject({ status: "cancelled" });
    expect(await post(`/api/jobs/${id}/cancel`)).toMatchObject({ code: 404, error: { code: "NO_SUCH_JOB" } });
    expect((await get(`/api/records?capture=${id}&size=0`)).total).toBe(0);
    const page = await open();
    await page.getByRole("button", { name: "import stopped.pcap again" }).click();
    const card = page.locator("article", { hasText: "stopped.pcap" });
    await card.and(page.locator('[data-status="done"]')).waitFor({ timeout: 60000 });
    expect(await card.textContent()).toContain("144,288 packets = 144,288 decoded");
    await page.close();
    expect((await get("/api/jobs")).jobs).toEqual([]);
    expect(await post(`/api/jobs/${id}/retry`)).toMatchObject({ code: 404, error: { code: "NO_SUCH_JOB" } });
    expect((await post(`/api/captures/${id}/again?filter=arp`)).code).toBe(202);
    const less = await done(url, id);
    expect(less).toMatchObject({ status: "done", accounting: { read: 144288, filtered: 144288 - 501 * 3 } });
    expect((await get(`/api/records?capture=${id}&dataset=http&size=0`)).total).toBe(0);
    expect((await get(`/api/records?capture=${id}&dataset=arp&size=0`)).total).toBe(501 * 3);
    await fetch(`${url}/api/captures/${id}`, { method: "DELETE" });
  }, 120000);

  test("what is wrong is refused in words; names reach no path; other sites are kept out", async () => {
    expect(await put(url, "notes.txt", Buffer.from("hello, hello"))).toMatchObject({ code: 415, error: { code: "NOT_A_CAPTURE" } });
    expect(await put(url, "empty.pcap", Buffer.alloc(0))).toMatchObject({ code: 415 });
    const traversal = await put(url, encodeURIComponent("../../../../tmp/evil.pcap"), readFileSync(fixture("arp/who-has.pcap")));
    expect(traversal).toMatchObject({ code: 201, name: "evil.pcap" });
    for (const [path, status] of [
      ["/api/records?q=(", 400],
      [`/api/records?q=${"a".repeat(11000)}%28`, 400],
      ["/api/records?dataset=nothing", 400],
      ["/api/captures/ffffffff", 404],
      ["/api/flows/ffffffff", 404],
      ["/api/flows/..%2f..%2fetc%2fpasswd", 404],
      ["/ui/..%2fpackage.json", 404],
      ["/api/nothing", 404],
    ] as const) {
      const r = await fetch(`${url}${path}`);
      expect([path.slice(0, 60), r.status]).toEqual([path.slice(0, 60), status]);
      expect(((await r.json()) as any).error.message).toBeTruthy();
    }
    expect((await fetch(`${url}/api/captures/ffffffff`, { method: "DELETE", headers: { origin: "http://evil.test" } })).status).toBe(403);
    expect((await fetch(`${url}/api/captures/x`, { method: "POST", headers: { "sec-fetch-site": "cross-site" }, body: "x" })).status).toBe(
      403,
    );
    const rebound = spawnSync("curl", ["-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Host: evil.test", `${url}/api/captures`], {
      encoding: "utf8",
    });
    expect(rebound.stdout).toBe("403");
  });

  test("a bomb: what unpacks to more than the quota stops there, says so, and leaves nothing; large and malformed questions are refused", async () => {
    const zeros = Buffer.alloc(16 << 20);
    const members = [gzipSync(readFileSync(MIXED).subarray(0, 24)), ...Array.from({ length: 64 }, () => gzipSync(zeros))];
    const bomb = await put(url, "bomb.pcap.gz", Buffer.concat(members)); // a gigabyte
    expect(bomb.code).toBe(201);
    const failed = await done(url, bomb.id);
    expect(failed).toMatchObject({
      status: "failed",
      error: {
        code: "QUOTA",
        message: expect.stringMatching(/unpacks to more than 200000000 bytes/),
        remedy: expect.stringMatching(/THREATFLOW_UNPACK_QUOTA/),
      },
    });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    await fetch(`${url}/api/captures/${bomb.id}`, { method: "DELETE" });
    for (const q of [
      "(".repeat(5000),
      "not ".repeat(2400),
      "a: ".repeat(3000),
      `x: ${"*".repeat(9000)}`,
      "\u0000",
      "source.ip: 300.1.1.1",
      "_record: x",
      "'; drop table x; --",
    ]) {
      const r = await fetch(`${url}/api/records?q=${encodeURIComponent(q)}`);
      expect([q.slice(0, 20), [200, 400, 431].includes(r.status)]).toEqual([q.slice(0, 20), true]);
      await r.text();
    }
    const split = await fetch(`${url}/api/export?format=csv&fields=${encodeURIComponent("a\r\nSet-Cookie: x=1")}`);
    expect(split.headers.get("set-cookie")).toBeNull();
  }, 60000);

  test("what a packet says is text, on the page and in CSV", async () => {
    const evil = `<img src=x onerror=document.title='owned'>`;
    const payload = Buffer.from(`GET /${encodeURI("=cmd()")} HTTP/1.1\r\nHost: ${evil}\r\nUser-Agent: =1+1\x1b[31m${evil}\r\n\r\n`);
    writeFileSync(join(dir, "evil.pcap"), oneTcpRequest(payload));
    const { id } = await put(url, `${encodeURIComponent(evil)}.pcap`, readFileSync(join(dir, "evil.pcap")));
    await done(url, id);
    const page = await open();
    for (const hash of ["#/", `#/capture/${id}`, `#/records?capture=${id}&dataset=http`]) {
      await page.goto(`${url}/${hash}`);
      await page.waitForTimeout(700);
      expect(await page.title()).toBe("Threat Flow Analyzer");
      expect(await page.locator("main img").count()).toBe(0);
    }
    expect(await page.locator("tbody").textContent()).toContain("\\u001b[31m<img");
    await page.close();
    const csv = await (await fetch(`${url}/api/export?format=csv&capture=${id}&dataset=http&fields=user_agent.original`)).text();
    expect(csv.split("\r\n")[1]).toMatch(/^"?'=1\+1/);
  }, 30000);
});

/** A capture of a handshake and one request. */
function oneTcpRequest(payload: Buffer): Buffer {
  const ends = { client: 0x0a010101, server: 0x0a010102, clientPort: 40000, serverPort: 80 };
  const out: Buffer[] = [PCAP_HEAD];
  const add = (fromClient: boolean, flags: number, seq: number, ack: number, data?: Buffer): void => {
    const f = tcpFrame(ends, fromClient, flags, seq, ack, data);
    out.push(recordHead(f, 1_700_000_000 + out.length, 0), f);
  };
  add(true, 2, 100, 0);
  add(false, 18, 500, 101);
  add(true, 16, 101, 501);
  add(true, 24, 101, 501, payload);
  add(true, 17, 101 + payload.length, 501);
  return Buffer.concat(out);
}

test("an import that the server was stopped in goes on when it starts again; a second server on the folder says so", async () => {
  const dir = mkdtempSync(join(tmpdir(), "threatflow-page-"));
  const env = { ...process.env, REDIS_URL: undefined, ELASTICSEARCH_URL: undefined };
  try {
    const first = await serve(dir, env);
    const second = spawnSync(threatflow, ["serve", "--port", "0", "--data", dir], { env: env as never, encoding: "utf8" });
    expect(second.status).toBe(1);
    expect(second.stderr).toMatch(/another server \(process \d+\) works in/);
    const { id } = await put(first.url, "x.pcap", readFileSync(MIXED));
    first.child.kill("SIGKILL");
    await new Promise((resolve) => first.child.on("exit", resolve));
    const again = await serve(dir, env);
    expect(await done(again.url, id)).toMatchObject({ status: "done", accounting: { read: 288 } });
    const total = (await (await fetch(`${again.url}/api/records?capture=${id}&size=0`)).json()) as any;
    expect(total.total).toBe(113);
    await ended(again.child);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
