/** The interfaces of this machine, with what a person needs to choose one. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";

export interface InterfaceInfo {
  name: string;
  addresses: string[];
  mac: string | undefined;
  /** Name of its link type, as capture files have it. */
  linktype: string;
  up: boolean;
  running: boolean;
  promiscuous: boolean;
}
const SYS = "/sys/class/net";
/** IFF_ flags (linux/if.h) and hardware types (linux/if_arp.h). */
const UP = 1;
const PROMISC = 0x100;
const HARDWARE: Readonly<Record<number, string>> = {
  1: "ETHERNET",
  772: "ETHERNET",
  512: "RAW",
  65534: "RAW",
  768: "RAW",
  769: "RAW",
  776: "RAW",
  778: "RAW",
  801: "IEEE802_11",
  803: "RADIOTAP",
};

const read = (name: string, what: string): string => {
  try {
    return readFileSync(join(SYS, name, what), "utf8").trim();
  } catch {
    return "";
  }
};

export function interfaces(): InterfaceInfo[] {
  const known = networkInterfaces();
  const names = existsSync(SYS) ? readdirSync(SYS).filter((n) => existsSync(join(SYS, n, "ifindex"))) : Object.keys(known);
  return names.sort().map((name) => {
    const flags = Number(read(name, "flags") || 0);
    return {
      name,
      addresses: (known[name] ?? []).map((a) => a.cidr ?? a.address),
      mac: read(name, "address") || known[name]?.[0]?.mac,
      linktype: HARDWARE[Number(read(name, "type"))] ?? "unknown",
      up: (flags & UP) !== 0,
      running: ["up", "unknown"].includes(read(name, "operstate")),
      promiscuous: (flags & PROMISC) !== 0,
    };
  });
}
/** Packets that the interface itself dropped since it is there. */
export function interfaceDrops(name: string): number {
  return Number(read(name, "statistics/rx_dropped") || 0) + Number(read(name, "statistics/rx_missed_errors") || 0);
}
