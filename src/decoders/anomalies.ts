/** All names of oddities: the native layers', the decoders', and those of the flows above them. Each with its layer and a sentence. */
import { nativeAnomalies } from "../engine/native.js";
import { TEXT_ANOMALIES } from "../records/text.js";
import { ARP_ANOMALIES } from "./arp/index.js";
import { decoders } from "./registry.js";

export interface AnomalyInfo {
  name: string;
  layer: string;
  text: string;
}

const FLOWS: Readonly<Record<string, string>> = {
  "decoder-exception": "A decoder failed: a bug of ours. The flow's further application data was not decoded.",
  "stream-buffer-limit": "More than 256 KiB of one side waited for the rest of a message: decoding of the side stopped.",
  "trailing-bytes": "Bytes follow the message in a datagram.",
  "message-truncated": "A datagram ends inside its message.",
};

const rows = (layer: string, names: Readonly<Record<string, string>>): AnomalyInfo[] =>
  Object.entries(names).map(([name, text]) => ({ name, layer, text }));

export const anomalies: readonly AnomalyInfo[] = [
  ...nativeAnomalies,
  ...decoders.flatMap((d) => rows(d.name, d.anomalies)),
  ...rows("arp", ARP_ANOMALIES).filter((a) => !nativeAnomalies.some((n) => n.name === a.name)),
  ...rows("flow", FLOWS),
  ...rows("text", TEXT_ANOMALIES),
  ...rows("capture", { "hook-verify-failed": "A user's hook (--hooks) said of packets that they are wrong; this is the first." }),
];
const layers = new Map(anomalies.map((a) => [a.name, a.layer]));
/** The layer that names this oddity. */
export const anomalyLayer = (name: string): string => layers.get(name) ?? "unknown";
