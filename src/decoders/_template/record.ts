/** Question and answer → record body, in schema order. A field that is not known is absent. */
import type { Question } from "./parse.js";

export function body(q: Question, answerBytes: number): object {
  return { template: { question: q.text || undefined, answer_bytes: answerBytes } };
}
