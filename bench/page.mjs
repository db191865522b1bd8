/**
 * What the page must bear: `node bench/page.mjs [GB]`. A map of 5,000 hosts drawn and dragged, in frames a second; an upload of GB (2) through the
 * browser with the connection cut five times, and the most memory that the server took meanwhile.
 */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { PCAP_HEAD, recordHead, udpFrame } from "../test/support/packets.ts";
import { done, ended, put, serve } from "../test/support/serve.ts";
const HOSTS = 5000, LINKS = 10000, CUTS = 5;
const gigabytes = Number(process.argv[2] ?? 2);
const dir = mkdtempSync(join(tmpdir(), "threatflow-bench-"));
const alone = { ...process.env, REDIS_URL: undefined, ELASTICSEARCH_URL: undefined };
const { url, child } = await serve(join(dir, "data"), alone);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
/** A capture with so many hosts: each talks to two others, a few to many. */
function hosts() {
  const parts = [PCAP_HEAD];
  const address = (n) => 0x0a000000 + Math.floor(n / 200) * 256 + (n % 200) + 1;
  for (let i = 0; i < LINKS; i++) {
    const [a, b] = [i % HOSTS, i < HOSTS ? (i * 7919 + 1) % HOSTS : (i * i) % 40];
    if (a === b) continue;
    const f = udpFrame({ client: address(a), server: address(b), clientPort: 40000, serverPort: 9 }, true, Buffer.alloc(20 + (i % 500)));
    parts.push(recordHead(f, 1700000000 + Math.floor(i / 100), i % 100), f);
  }
  return Buffer.concat(parts);
}
/** Frames a second while something goes on. */
const fps = (page, seconds) => page.evaluate((s) => new Promise((resolve) => {
  let n = 0; const begun = performance.now();
  const count = () => { n++; const t = performance.now() - begun; if (t > s * 1000) resolve(n / (t / 1000)); else requestAnimationFrame(count); };
  requestAnimationFrame(count);
}), seconds);
const memory = (pid) => { try { const t = readFileSync(`/proc/${pid}/status`, "utf8"); return (Number(/RssAnon:\s+(\d+)/.exec(t)[1]) + Number(/RssShmem:\s+(\d+)/.exec(t)[1])) / 1024; } catch { return 0; } };
try {
  const c = await put(url, "hosts.pcap", hosts());
  await done(url, c.id);
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await page.goto(`${url}/#/topology?capture=${c.id}&group=no`);
  await page.locator("#map").waitFor();
  const layout = await fps(page, 4);
  await page.waitForTimeout(3000);
  // Something is drawn where one looks.
  const inked = await page.evaluate(() => { const c = document.getElementById("map"); const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data; let n = 0; for (let i = 3; i < d.length; i += 4) if (d[i] > 0) n++; return n / (d.length / 4); });
  const box = await page.locator("#map").boundingBox();
  await page.mouse.move(box.x + 300, box.y + 300);
  await page.mouse.down();
  const measured = fps(page, 3);
  for (let i = 0; i < 120; i++) { await page.mouse.move(box.x + 300 + (i % 60) * 5, box.y + 300 + (i % 40) * 4); await page.waitForTimeout(10); }
  const dragged = await measured;
  await page.mouse.up();
  console.log(`map of ${HOSTS} hosts and ${LINKS} links: ${layout.toFixed(0)} frames/s while it finds its shape, ${dragged.toFixed(0)} while dragged; ${(100 * inked).toFixed(0)} % of the canvas is drawn on`);
  if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, "map.png") });
  await page.close();
  if (gigabytes > 0) {
    const big = join(dir, "big.pcap"), records = hosts().subarray(24), fd = openSync(big, "w");
    writeSync(fd, PCAP_HEAD);
    const block = Buffer.concat(Array.from({ length: 32 }, () => records));
    let written = 24;
    for (; written < gigabytes * 2 ** 30; written += block.length) writeSync(fd, block);
    closeSync(fd);
    const upload = await browser.newPage();
    await upload.goto(url);
    let pieces = 0, cuts = 0, most = 0;
    await upload.route("**/api/uploads/**", (route) => (route.request().method() === "PATCH" && ++pieces % 30 === 5 && cuts < CUTS ? (cuts++, route.abort("connectionreset")) : route.continue()));
    const watch = setInterval(() => { most = Math.max(most, memory(child.pid)); }, 200);
    const begun = performance.now();
    await upload.setInputFiles("#files", big);
    await upload.locator("article", { hasText: "big.pcap" }).and(upload.locator('[data-status="done"]')).waitFor({ timeout: 900000 });
    clearInterval(watch);
    console.log(`upload of ${(written / 2 ** 30).toFixed(2)} GiB, cut ${cuts} times: analysed after ${((performance.now() - begun) / 1000).toFixed(0)} s, server memory at most ${most.toFixed(0)} MB`);
  }
} finally {
  await browser.close();
  await ended(child);
  rmSync(dir, { recursive: true, force: true });
}
