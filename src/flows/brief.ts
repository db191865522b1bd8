/** What was found out about a flow, in one number: for flows that nothing more is looked for in, when the native side tells the rest again. */
import type { Flow } from "./flow.js";

/** Lists of protocols are few, and shared. A brief's upper bits are a list's place here, which is this process's own. */
const lists: (readonly string[])[] = [[]];
const places = new Map<string, number>([["", 0]]);
/** Beyond, a list is its flow's own, and the flow is kept. */
const MAX_LISTS = 4096;

const REVERSED = 2;
const ORIGIN_KNOWN = 4;
const BITS = 3;

/** The list that stands for all like it. */
export function sharedList(list: readonly string[]): readonly string[] {
  const text = list.join();
  const place = places.get(text);
  if (place !== undefined) return lists[place];
  if (lists.length < MAX_LISTS) {
    places.set(text, lists.length);
    lists.push(list);
  }
  return list;
}

/** Undefined: there is more to tell. */
export function briefOf(flow: Flow): number | undefined {
  const place = places.get(flow.protocols.join());
  if (flow.anomalies || place === undefined) return undefined;
  return (place << BITS) | (flow.originKnown ? ORIGIN_KNOWN : 0) | (flow.reversed ? REVERSED : 0) | flow.flip;
}
export const originKnown = (brief: number): boolean => (brief & ORIGIN_KNOWN) !== 0;
export function recall(flow: Flow, brief: number): void {
  flow.protocols = lists[brief >> BITS];
  flow.reversed = (brief & REVERSED) !== 0;
  flow.flip = brief & 1;
}

/** For another process. */
export type Written = readonly [readonly string[], number];
export const written = (brief: number): Written => [lists[brief >> BITS], brief & ((1 << BITS) - 1)];
export function read([list, bits]: Written): number {
  sharedList(list);
  const place = places.get(list.join());
  if (place === undefined) throw new RangeError("more lists of protocols than there can be");
  return (place << BITS) | bits;
}
