/** Which protocol is it? Content decides; ports only order and break ties. */
import type { Decoder, FlowView, Transport, Verdict } from "../decoders/contract.js";
import { decoders } from "../decoders/registry.js";
import type { Flow } from "./flow.js";

/** Probing ends after this many bytes of a side. */
export const PROBE_BYTES = 2048;

const byTransport = new Map<Transport, readonly Decoder[]>();
for (const t of ["tcp", "udp", "icmp", "ipv6-icmp", "sctp", "frame"] as const)
  byTransport.set(
    t,
    decoders.filter((d) => d.transports.includes(t)),
  );

export interface Candidate {
  decoder: Decoder;
  verdict: Verdict;
  side: number;
  hinted: boolean;
}

const hint = (d: Decoder, flow: Flow): boolean => d.ports.includes(flow.port(0)) || d.ports.includes(flow.port(1));

/**
 * The best verdict on the first bytes of a native side: a certain one ends probing; of unsure ones the first in registry order whose port
 * fits stands before the others. Undefined: no decoder wants these bytes.
 */
export function probe(flow: Flow, side: number, bytes: Uint8Array): Candidate | undefined {
  const view: FlowView = flow.view();
  let best: Candidate | undefined;
  for (const decoder of byTransport.get(flow.transport ?? "tcp") ?? []) {
    const verdict = decoder.probe(bytes, view);
    if (verdict.sure === "no") continue;
    const candidate = { decoder, verdict, side, hinted: verdict.alone !== false && hint(decoder, flow) };
    if (verdict.sure === "certain") return candidate;
    if (!best || (candidate.hinted && !best.hinted)) best = candidate;
  }
  return best;
}

/** Fixes who the client is, from what the bytes say, else from the ports. */
export function orient(flow: Flow, c: Candidate): void {
  if (c.verdict.from) flow.client(c.verdict.from === "client" ? c.side : 1 - c.side);
  else if (!flow.originKnown && flow.hasPorts) {
    const first = c.decoder.ports.includes(flow.port(0));
    const second = c.decoder.ports.includes(flow.port(1));
    if (first && !second) flow.client(1);
  }
}
