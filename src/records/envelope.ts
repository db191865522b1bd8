/**
 * The envelope of every record, filled in one place: when, who, whom, which flow, which packet, stable ids. A record becomes its line of
 * JSON at once: what is the same for all records of a flow or a dataset is text that was made once.
 */
import type { At, Emission } from "../decoders/contract.js";
import { type Flow, flowInfo } from "../flows/flow.js";
import { protocolName } from "./protocols.js";
import { before, nanosBetween, timestampAt } from "./time.js";

export const ECS_VERSION = "9.4.0";
/** Stand where ids come: they depend on the capture's id, which may be known only later (SEMANTICS 25). */
const ID_BLANK = "0".repeat(32);
const CAPTURE_BLANK = "0".repeat(64);

/** ECS event.type of the datasets that are not a protocol's. */
const PROTOCOL: readonly string[] = ["protocol"];
const TYPES: Readonly<Record<string, readonly string[]>> = {
  flow: ["connection", "end"],
  arp: ["info"],
  icmp: ["info"],
  anomaly: ["info"],
  capture: ["info"],
};

export interface Observer {
  id: string;
  name?: string;
}

/** What a record adds to groups that the envelope writes: members as JSON text, each with a comma before it. */
export interface Additions {
  flow: string;
  source: string;
  destination: string;
  network: string;
  protocols: readonly string[];
}

/** A record's line without its line feed, and where the blank ids stand in it (0: none). All before them is ASCII. */
export interface Line {
  text: string;
  eventAt: number;
  flowAt: number;
  captureAt: number;
}

/** The parts of a line that are the same for all records of a flow, while its direction and protocol stay. */
interface FlowText {
  flow: Flow | undefined;
  reversed: boolean;
  protocol: string | undefined;
  /** Sorted, without repetition. */
  ips: readonly string[];
  related: string;
  tunnel: string;
  /** Groups without their closing brace. */
  source: string;
  destination: string;
  network: string;
}

/** Sorted and unique; undefined where nothing is known. */
function sorted(values: readonly (string | undefined)[]): string[] | undefined {
  const out: string[] = [];
  for (const v of values) if (v !== undefined && v !== "" && !out.includes(v)) out.push(v);
  if (out.length === 0) return undefined;
  return out.length === 1 ? out : out.sort(bytewise);
}
const bytewise = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const json = JSON.stringify;
/** Names of ours need no escaping. */
const names = (list: readonly string[]): string => (list.length === 1 ? `["${list[0]}"]` : `["${list.join('","')}"]`);

const heads = new Map<string, string>();
function eventHead(dataset: string, type: readonly string[] | undefined): string {
  const known = type ? undefined : heads.get(dataset);
  if (known) return known;
  const text = `","dataset":"${dataset}","kind":"event","category":["network"],"type":${names(type ?? TYPES[dataset] ?? PROTOCOL)}`;
  if (!type) heads.set(dataset, text);
  return text;
}

/** Records of one flow often come together: the last flow's text is kept. */
let recent: FlowText | undefined;
function flowText(flow: Flow): FlowText {
  const protocol: string | undefined = flow.protocols[0];
  if (recent && recent.flow === flow && recent.reversed === flow.reversed && recent.protocol === protocol) return recent;
  const { addresses, macs, communityId, vlan, innerVlan, tunnels } = flowInfo(flow.told);
  const o = flow.reversed ? 1 : 0;
  const end = (side: number): string => {
    const mac = macs[side];
    return `"ip":"${addresses[side]}"${flow.hasPorts ? `,"port":${flow.port(side)}` : ""}${mac ? `,"mac":"${mac}"` : ""}`;
  };
  const ips = sorted(addresses) as string[];
  recent = {
    flow,
    reversed: flow.reversed,
    protocol,
    ips,
    related: `,"related":{"ip":${names(ips)}}`,
    tunnel: tunnels ? `,"tunnel":${names(tunnels.split(","))}` : "",
    source: `,"source":{${end(o)}`,
    destination: `,"destination":{${end(1 - o)}`,
    network:
      `,"network":{"transport":"${protocolName(flow.protocol)}"${protocol ? `,"protocol":"${protocol}"` : ""}` +
      `,"type":"${flow.version === 6 ? "ipv6" : "ipv4"}","iana_number":"${flow.protocol}"` +
      `${communityId ? `,"community_id":"${communityId}"` : ""}${vlan ? `,"vlan":{"id":"${vlan}"}` : ""}` +
      `${innerVlan ? `,"inner":{"vlan":{"id":"${innerVlan}"}}` : ""}`,
  };
  return recent;
}

function related(ips: readonly string[] | undefined, e: Emission): string {
  const all = e.ips ? sorted(ips ? [...ips, ...e.ips] : e.ips) : ips;
  const hosts = e.hosts && sorted(e.hosts);
  const hash = e.hashes && sorted(e.hashes);
  return all || hosts || hash ? `,"related":${json({ ip: all, hosts, hash })}` : "";
}

/** The group of a record without a flow, where anything in it is known. */
function loose(name: string, group: object | undefined): string {
  const text = group ? json(group) : "{}";
  return text === "{}" ? "" : `,"${name}":${text}`;
}

const LINE: Line = { text: "", eventAt: 0, flowAt: 0, captureAt: 0 };
const START = '{"@timestamp":"';
const EVENT = '","event":{"id":"';
const FLOW = '},"flow":{"id":"';
const CAPTURE = '"threatflow":{"capture":{"id":"';

/** The line of a record; good until the next call. */
export function envelope(
  e: Emission,
  flow: Flow | undefined,
  observer: Observer | undefined,
  event?: { start: At; end: At },
  more?: Additions,
): Line {
  let start = event?.start ?? e.at;
  let end = event?.end ?? e.until ?? e.at;
  if (before(end, start)) [start, end] = [end, start]; // an answer's packet can carry an earlier time than its question's
  const startText = timestampAt(start);
  const at = start === e.at ? startText : timestampAt(e.at);
  const endText = end === start ? startText : timestampAt(end);
  const duration = end === start ? "0" : nanosBetween(start.seconds, start.nanos, end.seconds, end.nanos);
  const f = flow && flowText(flow);
  let t = START + at + EVENT;
  LINE.eventAt = t.length;
  t +=
    ID_BLANK +
    eventHead(e.dataset, e.type) +
    (e.outcome ? `,"outcome":"${e.outcome}"` : "") +
    `,"start":"${startText}","end":"${endText}","duration":${duration}`;
  if (f) {
    t += FLOW;
    LINE.flowAt = t.length;
    t += `${ID_BLANK}"${more ? more.flow : ""}},${CAPTURE}`;
  } else {
    LINE.flowAt = 0;
    t += `},${CAPTURE}`;
  }
  LINE.captureAt = t.length;
  t += `${CAPTURE_BLANK}"}`;
  if (e.at.packet) t += `,"packet":${e.at.packet}`;
  if (f) t += f.tunnel;
  if (more?.protocols.length) t += `,"protocols":${names(more.protocols)}`;
  if (e.anomalies?.length) t += `,"anomalies":${names(sorted(e.anomalies) as string[])}`;
  t += `},"ecs":{"version":"${ECS_VERSION}"}`;
  if (observer) t += `,"observer":${json({ ingress: { interface: observer } })}`;
  if (f) {
    t += e.ips || e.hosts || e.hashes ? related(f.ips, e) : f.related;
    if (more) t += `${f.source}${more.source}}${f.destination}${more.destination}}${f.network}${more.network}}`;
    else t += `${f.source}}${f.destination}}${f.network}}`;
  } else {
    if (e.ips || e.hosts || e.hashes) t += related(undefined, e);
    t += loose("source", e.ends?.source) + loose("destination", e.ends?.destination) + loose("network", e.ends?.network);
  }
  const body = typeof e.body === "string" ? e.body : json(e.body);
  LINE.text = body.length > 2 ? `${t},${body.slice(1)}` : `${t}}`;
  return LINE;
}
