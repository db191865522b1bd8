/** Frames and captures made by hand: IPv4 without checksums, a classic little-endian pcap. */

const NONE = Buffer.alloc(0);
export interface Ends {
  /** Addresses as numbers. */
  client: number;
  server: number;
  clientPort: number;
  serverPort: number;
}
function frame(e: Ends, fromClient: boolean, protocol: number, transport: number, payload: Buffer): Buffer {
  const f = Buffer.alloc(34 + transport + payload.length);
  f.writeUInt16BE(0x0800, 12);
  f[14] = 0x45;
  f.writeUInt16BE(20 + transport + payload.length, 16);
  f[22] = 64;
  f[23] = protocol;
  f.writeUInt32BE(fromClient ? e.client : e.server, 26);
  f.writeUInt32BE(fromClient ? e.server : e.client, 30);
  f.writeUInt16BE(fromClient ? e.clientPort : e.serverPort, 34);
  f.writeUInt16BE(fromClient ? e.serverPort : e.clientPort, 36);
  payload.copy(f, 34 + transport);
  return f;
}
export function tcpFrame(e: Ends, fromClient: boolean, flags: number, seq: number, ack: number, payload: Buffer = NONE): Buffer {
  const f = frame(e, fromClient, 6, 20, payload);
  f.writeUInt32BE(seq >>> 0, 38);
  f.writeUInt32BE(ack >>> 0, 42);
  f[46] = 0x50;
  f[47] = flags;
  f.writeUInt16BE(65535, 48);
  return f;
}
export function udpFrame(e: Ends, fromClient: boolean, payload: Buffer): Buffer {
  const f = frame(e, fromClient, 17, 8, payload);
  f.writeUInt16BE(8 + payload.length, 38);
  return f;
}

export const PCAP_HEAD = Buffer.from("d4c3b2a1020004000000000000000000ffff000001000000", "hex");
export function recordHead(f: Buffer, seconds: number, micros: number): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32LE(seconds, 0);
  head.writeUInt32LE(micros, 4);
  head.writeUInt32LE(f.length, 8);
  head.writeUInt32LE(f.length, 12);
  return head;
}
