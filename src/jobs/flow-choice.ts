/** Which packets of which capture a flow has. */
import { addon } from "../engine/native.js";
import { ThreatflowError } from "../errors.js";
import type { Search } from "../search/search.js";
import type { Choice } from "./extract.js";

/** The flow's packets are those of its key between its first and its last packet. */
export async function chooseFlow(search: Pick<Search, "records">, id: string, choice: Choice): Promise<string> {
  if (!/^[0-9a-f]{8,32}$/.test(id))
    throw new ThreatflowError("USAGE", `a flow id has 32 hex digits (at least 8 of them), not ${JSON.stringify(id)}`);
  const found: string[] = [];
  for await (const line of search.records({
    query: `flow.id: ${id}${id.length < 32 ? "*" : ""}`,
    datasets: ["flow"],
    captures: undefined,
    limit: 2,
  }))
    found.push(line);
  if (found.length === 0)
    throw new ThreatflowError("NO_SUCH_FLOW", `there is no flow ${id} here`, "`threatflow query '*' --dataset flow` shows them");
  if (found.length > 1) throw new ThreatflowError("NO_SUCH_FLOW", `more than one flow begins with ${id}`, "give more digits");
  const r = JSON.parse(found[0]) as FlowRecord;
  choice.flow = { packet: r.threatflow.packet, hash: hashOf(r) };
  choice.from = nanos(r.event.start);
  choice.to = nanos(r.event.end);
  return r.threatflow.capture.id;
}

interface FlowRecord {
  event: { start: string; end: string };
  source: { ip: string; port?: number };
  destination: { ip: string; port?: number };
  network: { iana_number: string };
  threatflow: { packet: number; capture: { id: string } };
}
function hashOf({ source: s, destination: d, network }: FlowRecord): number | undefined {
  if (s.port === undefined || d.port === undefined) return undefined;
  return addon.tupleHash(s.ip, s.port, d.ip, d.port, Number(network.iana_number));
}

/** ns of an RFC 3339 time with up to nine digits. */
export function nanos(text: string): bigint {
  const m = /^(\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?)(?:\.(\d{1,9}))?Z?$/.exec(text);
  const ms = m ? Date.parse(`${m[1].replace(" ", "T")}${m[1].length > 10 ? "Z" : "T00:00:00Z"}`) : Number.NaN;
  if (!m || Number.isNaN(ms)) throw new ThreatflowError("USAGE", `a time is written like 2026-11-24T03:17:00, not ${JSON.stringify(text)}`);
  return BigInt(ms) * 1000000n + BigInt((m[2] ?? "0").padEnd(9, "0"));
}
