/** ARP and RARP (RFC 826, 903): one record for each packet. */
import { ipText, macText } from "../../records/text.js";
import type { At, Emit } from "../contract.js";
import { Cursor } from "../cursor.js";

const OPERATIONS: Readonly<Record<number, string>> = {
  1: "request",
  2: "reply",
  3: "request-reverse",
  4: "reply-reverse",
  5: "drarp-request",
  6: "drarp-reply",
  7: "drarp-error",
  8: "inarp-request",
  9: "inarp-reply",
  10: "arp-nak",
};

export const ARP_ANOMALIES: Readonly<Record<string, string>> = {
  "arp-truncated": "The ARP message is shorter than its address lengths say.",
  "arp-addresses-unusual": "Hardware addresses that are not of 6 bytes, or protocol addresses that are not of 4.",
};

/** Reads one message and emits its record. */
export function arp(bytes: Uint8Array, at: At, emit: Emit): void {
  const c = new Cursor(bytes);
  c.u16();
  const protocol = c.u16();
  const hardwareSize = c.u8();
  const protocolSize = c.u8();
  const operation = c.u16();
  const senderMac = c.take(hardwareSize);
  const senderIp = c.take(protocolSize);
  const targetMac = c.take(hardwareSize);
  const targetIp = c.take(protocolSize);
  if (c.bad) {
    emit.anomaly("arp-truncated", at, { offset: c.story?.offset, needed: c.story?.needed, had: c.story?.had });
    return;
  }
  const ip4 = protocol === 0x0800 && protocolSize === 4;
  const mac6 = hardwareSize === 6;
  const known = mac6 && targetMac.some((b) => b !== 0);
  const anomalies = ip4 && mac6 ? [] : ["arp-addresses-unusual"];
  const sender = ip4 ? ipText(senderIp) : undefined;
  const target = ip4 ? ipText(targetIp) : undefined;
  emit.record({
    dataset: "arp",
    at,
    side: 0,
    stream: 0,
    body: {
      arp: {
        op_code: OPERATIONS[operation] ?? String(operation),
        sender: mac6 || sender ? { mac: mac6 ? macText(senderMac) : undefined, ip: sender } : undefined,
        target: known || target ? { mac: known ? macText(targetMac) : undefined, ip: target } : undefined,
      },
    },
    ips: [sender, target],
    ends: { source: { ip: sender }, destination: { ip: target } },
    anomalies,
  });
}
