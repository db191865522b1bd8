/**
 * Template: a question of one line and an answer that ends with the connection, as whois does (RFC 3912). A living protocol to copy:
 * `npm run new-protocol NAME` does, and registers the copy; this folder itself is tested but not registered.
 */
import type { At, Decoder, DecoderSettings, Emit, FlowView, Locate, Progress, Session, Side, Verdict } from "../contract.js";
import { NO, need, ok, onPort, stop, UNSURE } from "../contract.js";
import { MAX_QUESTION, parseQuestion, type Question } from "./parse.js";
import { body } from "./record.js";

class Template implements Session {
  private readonly emit: Emit;
  private question: { q: Question; at: At; stream: number } | undefined;
  private answerBytes = 0;
  private last: At | undefined;
  constructor(_flow: FlowView, emit: Emit, _settings: DecoderSettings) {
    this.emit = emit;
  }

  data(side: Side, bytes: Uint8Array, at: Locate, stream: number): Progress {
    return side === 0 ? this.ask(bytes, at, stream) : this.answer(bytes, at);
  }

  private ask(bytes: Uint8Array, at: Locate, stream: number): Progress {
    if (this.question) return stop("finished");
    const parsed = parseQuestion(bytes);
    if (parsed === "more") return need(0, bytes.length + 1);
    if (parsed === "none") {
      this.emit.anomaly("template-question-too-long", at(0), { needed: MAX_QUESTION, had: bytes.length });
      return stop("not-this-protocol");
    }
    this.question = { q: parsed, at: at(0), stream };
    return ok(parsed.length);
  }

  private answer(bytes: Uint8Array, at: Locate): Progress {
    this.answerBytes += bytes.length;
    this.last = at(bytes.length - 1);
    return ok(bytes.length);
  }

  gap(side: Side, length: number): "resync" | "stop" {
    if (side === 0) return "stop";
    this.answerBytes += length; // it was sent, though it is not in the capture
    return "resync";
  }
  skipped(): void {}

  end(): void {
    if (!this.question) return;
    const { q, at, stream } = this.question;
    this.emit.record({
      dataset: "template",
      at,
      side: 0,
      stream,
      until: this.last,
      body: body(q, this.answerBytes),
      outcome: this.answerBytes ? "success" : "unknown",
      anomalies: q.notes.names(),
    });
  }
}

/** The first line of the client; a port has to fit, since any text could be a question. */
function probe(bytes: Uint8Array, view: FlowView): Verdict {
  if (!onPort(PORTS, view)) return NO;
  const parsed = parseQuestion(bytes);
  if (parsed === "none") return NO;
  return parsed === "more" ? UNSURE : { sure: "certain", from: "client" };
}
const PORTS: readonly number[] = [43];

export const template: Decoder = {
  name: "template",
  transports: ["tcp"],
  ports: PORTS,
  datasets: ["template"],
  anomalies: {
    "template-question-too-long": "No line ended within the bytes that a question may have.",
  },
  probe,
  open: (flow, emit, settings) => new Template(flow, emit, settings),
  state: [Template],
};
