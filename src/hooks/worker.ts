/** The thread that a hook file runs in: it can be ended whatever the file does. Verdicts go back through shared memory (src/hooks/hooks.ts). */
import { pathToFileURL } from "node:url";
import { receiveMessageOnPort, workerData } from "node:worker_threads";
import { INDEX_FLAG } from "../engine/native.js";
import { type HookFile, PacketView } from "./packet.js";
import { type HookMemory, STATE, VERDICT } from "./states.js";

const memory = workerData as HookMemory;
const { control, places, port } = memory;
const verdicts = new Uint8Array(memory.verdicts);
const view = new PacketView(memory.rows, memory.headers);

let window = new SharedArrayBuffer(0);
/** The window at hand; it is exchanged for a larger one where it must be. */
function current(): Uint8Array {
  for (let m = receiveMessageOnPort(port); m; m = receiveMessageOnPort(port)) window = m.message as SharedArrayBuffer;
  return new Uint8Array(window, 0, control[3]);
}
function tell(state: number): void {
  Atomics.store(control, 0, state);
  Atomics.notify(control, 0);
}
function judge(hooks: HookFile, window: Uint8Array): void {
  const [first, base] = places;
  view.look(window, base);
  for (let i = 0; i < control[1]; i++) {
    view.moveTo(i, first + i);
    verdicts[i] = VERDICT.keep;
    if (view.flags & INDEX_FLAG.filtered) continue;
    try {
      if (hooks.drop?.(view)) verdicts[i] = VERDICT.drop;
      else if (hooks.verify && !hooks.verify(view)) verdicts[i] = VERDICT.failed;
    } catch (error) {
      if (control[2]++ === 0) port.postMessage(`packet ${first + i}: ${(error as Error)?.stack ?? error}`);
    }
  }
}

try {
  const hooks = (await import(pathToFileURL(memory.path).href)) as HookFile;
  if (typeof hooks.drop !== "function" && typeof hooks.verify !== "function") throw new Error("it exports neither drop nor verify");
  tell(STATE.idle);
  for (;;) {
    Atomics.wait(control, 0, STATE.idle);
    judge(hooks, current());
    tell(STATE.idle);
  }
} catch (error) {
  port.postMessage(String((error as Error)?.message ?? error));
  tell(STATE.broken);
}
