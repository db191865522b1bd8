/** The envelope of every record, filled in one place: when, who, whom, which flow, which packet, stable ids. */
import type { At, Emission } from "../decoders/contract.js";
import type { Flow } from "../flows/flow.js";
import { protocolName } from "./protocols.js";
import { before, nanosBetween, timestampAt } from "./time.js";

export const ECS_VERSION = "9.4.0";
/** Stand where ids come: they depend on the capture's id, which may be known only later (SEMANTICS 25). */
export const ID_BLANK = "0".repeat(32);
export const CAPTURE_BLANK = "0".repeat(64);

const CATEGORY = ["network"];
/** ECS event.type of each dataset. */
const TYPES: Readonly<Record<string, readonly string[]>> = {
  flow: ["connection", "end"],
  dns: ["protocol"],
  http: ["protocol"],
  tls: ["protocol"],
  ssh: ["protocol"],
  arp: ["info"],
  icmp: ["info"],
  anomaly: ["info"],
  capture: ["info"],
};

export interface Observer {
  id: string;
  name?: string;
}

/** Groups that the envelope shares with bodies: what a body adds to them. */
interface SharedBody {
  flow?: object;
  threatflow?: { protocols?: readonly string[] };
  source?: object;
  destination?: object;
  network?: object;
}

/** The group, or undefined where nothing in it is known: a field that is not known is absent. */
export function some<T extends object>(group: T): T | undefined {
  for (const k in group) if (group[k] !== undefined) return group;
  return undefined;
}

/** Sorted and unique; undefined where nothing is known. */
export function sorted(values: readonly (string | undefined)[]): string[] | undefined {
  const out: string[] = [];
  for (const v of values) if (v !== undefined && v !== "" && !out.includes(v)) out.push(v);
  if (out.length === 0) return undefined;
  return out.length === 1 ? out : out.sort(bytewise);
}
const bytewise = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export function envelope(e: Emission, flow: Flow | undefined, observer: Observer | undefined, event?: { start: At; end: At }): object {
  let start = event?.start ?? e.at;
  let end = event?.end ?? e.until ?? e.at;
  if (before(end, start)) [start, end] = [end, start]; // an answer's packet can carry an earlier time than its question's
  const {
    flow: flowBody,
    threatflow: own,
    source: sourceBody,
    destination: destinationBody,
    network: networkBody,
    ...body
  } = e.body as SharedBody;
  const startText = timestampAt(start);
  const at = start === e.at ? startText : timestampAt(e.at);
  const info = flow?.info;
  const o = flow?.reversed ? 1 : 0;
  const sourceIp = info?.address(o);
  const destinationIp = info?.address(1 - o);
  const ips = e.ips ? sorted([sourceIp, destinationIp, ...e.ips]) : sorted([sourceIp, destinationIp]);
  return {
    "@timestamp": at,
    event: {
      id: ID_BLANK,
      dataset: e.dataset,
      kind: "event",
      category: CATEGORY,
      type: e.type ?? TYPES[e.dataset],
      outcome: e.outcome,
      start: startText,
      end: end === start ? startText : timestampAt(end),
      duration: nanosBetween(start.seconds, start.nanos, end.seconds, end.nanos),
    },
    flow: flow ? { id: ID_BLANK, ...flowBody } : undefined,
    threatflow: {
      capture: { id: CAPTURE_BLANK },
      packet: e.at.packet || undefined,
      tunnel: info?.tunnels ? info.tunnels.split(",") : undefined,
      protocols: own?.protocols?.length ? own.protocols : undefined,
      anomalies: e.anomalies?.length ? sorted(e.anomalies) : undefined,
    },
    ecs: { version: ECS_VERSION },
    observer: observer ? { ingress: { interface: observer } } : undefined,
    related: ips || e.hosts || e.hashes ? related(ips, e.hosts, e.hashes) : undefined,
    source:
      info && flow
        ? { ip: sourceIp, port: flow.hasPorts ? flow.port(o) : undefined, mac: info.mac(o) || undefined, ...sourceBody }
        : e.ends?.source && some(e.ends.source),
    destination:
      info && flow
        ? { ip: destinationIp, port: flow.hasPorts ? flow.port(1 - o) : undefined, mac: info.mac(1 - o) || undefined, ...destinationBody }
        : e.ends?.destination && some(e.ends.destination),
    network: flow ? network(flow, networkBody) : networkBody,
    ...body,
  };
}

function related(ip: string[] | undefined, hosts: Emission["hosts"], hashes: Emission["hashes"]): object | undefined {
  const h = hosts && sorted(hosts);
  const x = hashes && sorted(hashes);
  return ip || h || x ? { ip, hosts: h, hash: x } : undefined;
}

function network(flow: Flow, body: object | undefined): object {
  const info = flow.info;
  return {
    transport: protocolName(flow.protocol),
    protocol: flow.protocols[0],
    type: flow.version === 6 ? "ipv6" : "ipv4",
    iana_number: String(flow.protocol),
    community_id: info.communityId || undefined,
    vlan: info.vlan ? { id: info.vlan } : undefined,
    inner: info.innerVlan ? { vlan: { id: info.innerVlan } } : undefined,
    ...body,
  };
}
