/** A cBPF program for people: what each instruction does, what its loads mean in the link type, which verdicts can be reached. */
import { addon } from "../engine/native.js";

export interface Line {
  at: number;
  /** As `tcpdump -d` writes it. */
  text: string;
  /** What it means. */
  meaning: string;
  /** Instructions that can follow. */
  next: number[];
  reachable: boolean;
}
export interface Explained {
  lines: Line[];
  /** Bytes that reachable returns keep; -1: what the accumulator holds. */
  verdicts: number[];
  warnings: string[];
}
const ALU = ["add", "sub", "mul", "div", "or", "and", "lsh", "rsh", "neg", "mod", "xor"];
const JUMP = ["ja", "jeq", "jgt", "jge", "jset"];
const SIGN = ["", "==", ">", ">=", "has a bit of"];
const ANCILLARY: Readonly<Record<number, string>> = {
  0: "protocol",
  4: "packet type",
  8: "interface index",
  12: "netlink attribute",
  16: "nested netlink attribute",
  20: "mark",
  24: "queue",
  28: "hardware type",
  32: "receive hash",
  36: "processor",
  40: "A xor X",
  44: "VLAN tag",
  48: "VLAN tag present",
  52: "payload offset",
  56: "random number",
  60: "VLAN protocol",
};
const AD = 0xfffff000;
const NET = 0xfff00000;
const LL = 0xffe00000;

/** Fields at fixed places, by link type: [offset, size] → name. Offsets of network fields count from the network header. */
const LINK: Readonly<Record<number, { network: number; fields: Readonly<Record<string, string>> }>> = {
  1: {
    network: 14,
    fields: {
      "0/4": "destination MAC, first 4",
      "4/2": "destination MAC, last 2",
      "6/4": "source MAC, first 4",
      "10/2": "source MAC, last 2",
      "12/2": "ethertype",
    },
  },
  101: { network: 0, fields: {} },
  113: { network: 16, fields: { "0/2": "packet type", "2/2": "hardware type", "14/2": "ethertype" } },
  276: { network: 20, fields: { "0/2": "ethertype", "4/4": "interface index", "8/2": "hardware type", "10/1": "packet type" } },
  0: { network: 4, fields: { "0/4": "address family" } },
};
const IP4: Readonly<Record<string, string>> = {
  "0/1": "IPv4 version and header length (IPv6: version)",
  "2/2": "IPv4 total length",
  "4/2": "IPv4 identification (IPv6: payload length)",
  "6/2": "IPv4 flags and fragment offset",
  "6/1": "IPv6 next header",
  "8/1": "IPv4 time to live",
  "8/4": "IPv6 source, word 1",
  "9/1": "IPv4 protocol",
  "12/4": "IPv4 source (IPv6: source, word 2)",
  "16/4": "IPv4 destination (IPv6: source, word 3)",
  "20/4": "IPv6 source, word 4",
  "24/4": "IPv6 destination, word 1",
  "28/4": "IPv6 destination, word 2",
  "32/4": "IPv6 destination, word 3",
  "36/4": "IPv6 destination, word 4",
  "40/2": "IPv6 source port, where the next header is TCP or UDP",
  "42/2": "IPv6 destination port",
  "53/1": "IPv6 TCP flags",
};
const TRANSPORT: Readonly<Record<string, string>> = {
  "0/2": "source port",
  "2/2": "destination port",
  "0/1": "ICMP type",
  "1/1": "ICMP code",
  "13/1": "TCP flags",
};

function place(linktype: number, offset: number, size: number): string {
  const link = LINK[linktype];
  if (!link) return `${size} bytes at ${offset}`;
  const own = link.fields[`${offset}/${size}`];
  if (own) return own;
  const inner = IP4[`${offset - link.network}/${size}`];
  if (inner) return inner;
  return offset >= link.network
    ? `${size} bytes at ${offset - link.network} of the network header`
    : `${size} bytes at ${offset} of the link header`;
}
function indirect(linktype: number, offset: number, size: number): string {
  const network = LINK[linktype]?.network ?? 0;
  return TRANSPORT[`${offset - network}/${size}`] ?? `${size} bytes at X + ${offset}`;
}
const WELL_KNOWN: Readonly<Record<number, string>> = {
  2048: "IPv4",
  34525: "IPv6",
  2054: "ARP",
  33024: "802.1Q VLAN",
  34984: "802.1ad VLAN",
  34887: "MPLS",
};
const PROTOCOLS: Readonly<Record<number, string>> = { 1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6", 132: "SCTP", 44: "IPv6 fragment" };
const address = (k: number): string => [24, 16, 8, 0].map((s) => (k >>> s) & 255).join(".");
/** A compared number in the terms of what was loaded last. */
function inTerms(k: number, loaded: string): string {
  if (/ethertype|protocol$/i.test(loaded) && WELL_KNOWN[k]) return `${WELL_KNOWN[k]}`;
  if (/IPv4 protocol|next header/.test(loaded) && PROTOCOLS[k]) return PROTOCOLS[k];
  if (/port/.test(loaded)) return String(k);
  if (/source|destination/.test(loaded) && /IPv4/.test(loaded) && k > 0xffffff) return address(k);
  return k > 9 ? `0x${k.toString(16)}` : String(k);
}

/** `program`: [code, jt, jf, k]…, verified. `snaplen`: what a capture would keep. */
export function explain(program: Uint32Array, linktype: number, snaplen: number): Explained {
  const n = program.length / 4;
  const lines: Line[] = [];
  const warnings = new Set<string>();
  let loaded = "";
  for (let at = 0; at < n; at++) {
    const [code, jt, jf, k] = program.subarray(at * 4, at * 4 + 4);
    const hex = `0x${k.toString(16)}`;
    const size = code & 0x10 ? 1 : code & 8 ? 2 : 4;
    const letter = { 4: "", 2: "h", 1: "b" }[size];
    let text = "";
    let meaning = "";
    let next = [at + 1];
    const operand = code & 8 ? "x" : `#${hex}`;
    const kind = code & 7;
    if (kind === 0 || kind === 1) {
      const mode = code & 0xe0;
      const name = kind === 0 ? `ld${letter}` : code === 0xb1 ? "ldxb" : "ldx";
      const into = kind === 0 ? "A" : "X";
      if (code === 0xb1) {
        text = `ldxb     4*([${k}]&0xf)`;
        meaning = "X = length of the IPv4 header";
      } else if (mode === 0x20 && k >= AD) {
        const what = ANCILLARY[k - AD] ?? "unknown";
        text = `${name.padEnd(8)} #${what}`;
        meaning = `A = ${what}, as the kernel knows it`;
        loaded = what;
        if (k - AD === 44 || k - AD === 48 || k - AD === 60)
          warnings.add(
            `instruction ${at} asks the kernel for the VLAN tag: in a file the tag stands in the frame, so this program does not see it there; compile it for files`,
          );
        else if (k - AD !== 0 && k - AD !== 40)
          warnings.add(`instruction ${at} asks the kernel for the ${what}, which a file does not have (it reads 0)`);
      } else if (mode === 0x20) {
        const from = k >= NET ? k - NET : k >= LL ? k - LL : k;
        loaded = k >= NET ? `${size} bytes at ${from} of the network header` : place(linktype, from, size);
        text = `${name.padEnd(8)} [${k >= LL ? hex : k}]`;
        meaning = `A = ${loaded}`;
      } else if (mode === 0x40) {
        loaded = indirect(linktype, k, size);
        text = `${name.padEnd(8)} [x + ${k}]`;
        meaning = `A = ${loaded}`;
      } else if (mode === 0x80) {
        text = `${name.padEnd(8)} #pktlen`;
        meaning = `${into} = length of the packet`;
        loaded = "length";
      } else if (mode === 0x60) {
        text = `${name.padEnd(8)} M[${k}]`;
        meaning = `${into} = scratch cell ${k}`;
        loaded = "";
      } else {
        text = `${name.padEnd(8)} #${hex}`;
        meaning = `${into} = ${k}`;
        loaded = "";
      }
    } else if (kind === 2 || kind === 3) {
      text = `${kind === 2 ? "st" : "stx"}       M[${k}]`;
      meaning = `scratch cell ${k} = ${kind === 2 ? "A" : "X"}`;
    } else if (kind === 4) {
      const op = ALU[code >> 4] ?? "?";
      text = op === "neg" ? "neg" : `${op.padEnd(8)} ${operand}`;
      meaning = op === "neg" ? "A = -A" : `A = A ${op} ${code & 8 ? "X" : hex}`;
      if (op === "and" && !(code & 8) && loaded.includes("IPv4") && k > 0xffff) loaded = `${loaded} & ${address(k)}`;
    } else if (kind === 5) {
      const op = JUMP[code >> 4] ?? "?";
      if (op === "ja") {
        next = [at + 1 + k];
        text = `ja       ${next[0]}`;
        meaning = `on to ${next[0]}`;
      } else {
        next = [at + 1 + jt, at + 1 + jf];
        text = `${op.padEnd(8)} ${operand.padEnd(14)} jt ${next[0]}\tjf ${next[1]}`;
        meaning = `${loaded || "A"} ${SIGN[code >> 4]} ${code & 8 ? "X" : inTerms(k, loaded)}? ${next[0]} : ${next[1]}`;
      }
    } else if (kind === 6) {
      next = [];
      text = code & 0x10 ? "ret      a" : `ret      #${k}`;
      meaning = code & 0x10 ? "keep as many bytes as A says" : k === 0 ? "drop" : `keep ${k} bytes`;
    } else {
      text = code & 0x80 ? "txa" : "tax";
      meaning = code & 0x80 ? "A = X" : "X = A";
      if (code & 0x80) loaded = "";
    }
    lines.push({ at, text, meaning, next, reachable: false });
  }
  const walk = [0];
  while (walk.length) {
    const line = lines[walk.pop() as number];
    if (!line || line.reachable) continue;
    line.reachable = true;
    walk.push(...line.next);
  }
  const verdicts = new Set<number>();
  for (const l of lines) {
    const code = program[l.at * 4];
    if (!l.reachable || (code & 7) !== 6) continue;
    verdicts.add(code & 0x10 ? -1 : program[l.at * 4 + 3]);
  }
  const kept = [...verdicts].filter((v) => v > 0);
  if (kept.length && Math.max(...kept) < snaplen) warnings.add(`packets are cut: at most ${Math.max(...kept)} bytes of each are kept`);
  if (!kept.length && !verdicts.has(-1)) warnings.add("no path keeps a packet: everything is dropped");
  if (![...verdicts].some((v) => v === 0) && !verdicts.has(-1))
    warnings.add("no return drops a packet: only a load behind a packet's end does");
  const unreached = lines.filter((l) => !l.reachable).map((l) => l.at);
  if (unreached.length) warnings.add(`never reached: ${unreached.join(", ")}`);
  const other = otherLinktype(program, linktype);
  if (other) warnings.add(other);
  return { lines, verdicts: [...verdicts].sort((a, b) => a - b), warnings: [...warnings] };
}

/** Where a program compares the ethertype tells which link type it was made for. */
function otherLinktype(program: Uint32Array, linktype: number): string | undefined {
  const seen = new Set<number>();
  for (let at = 0; at + 8 <= program.length; at += 4)
    if (program[at] === 0x28 && program[at + 4] === 0x15 && [0x800, 0x86dd, 0x806].includes(program[at + 7])) seen.add(program[at + 3]);
  const places: Readonly<Record<number, [number, string]>> = { 12: [1, "ETHERNET"], 14: [113, "LINUX_SLL"], 0: [276, "LINUX_SLL2"] };
  for (const offset of seen) {
    const made = places[offset];
    if (made && made[0] !== linktype)
      return `it looks for the ethertype at ${offset}, where ${made[1]} has it: it was made for another link type`;
  }
  return undefined;
}
export const verify = (program: Uint32Array): { at: number; what: string }[] => addon.verifyFilter(program);
