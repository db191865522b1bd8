/** What the native side's table tells of a flow, closed or as it stands. */
import type { At } from "../decoders/contract.js";
import { COLUMNS, column as c } from "../engine/native.js";
import { ORIGIN_KNOWN } from "./flow.js";

const PER_SIDE = c.packets1 - c.packets0;

/** When the flow's last packet came. */
export const endOf = (table: Float64Array, row: number): At => {
  const b = row * COLUMNS;
  return { packet: 0, seconds: table[b + c.endSeconds], nanos: table[b + c.endNanos] };
};

export function streamLength(table: Float64Array, row: number, side: number): number {
  return table[row * COLUMNS + c.stream0 + side * PER_SIDE];
}

/** A flow that brought no payload is told only when it closes: what `open` would have said stands in the columns. */
export function packedOf(table: Float64Array, row: number): { packed: number; ports: number; iface: number } {
  const b = row * COLUMNS;
  return {
    packed:
      table[b + c.protocol] | (table[b + c.version] << 8) | (table[b + c.hasPorts] ? 0x10000 : 0) | (table[b + c.synBy] ? ORIGIN_KNOWN : 0),
    ports: ((table[b + c.sourcePort] << 16) | table[b + c.destinationPort]) >>> 0,
    iface: table[b + c.interface],
  };
}
