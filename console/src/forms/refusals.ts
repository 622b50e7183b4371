/** What a mutation answers when it changed nothing. */

import { problemOf } from "../automations/saving";
import type { Issue } from "../builder/usePreview";

/** What the API refused at fields of the input, and what failed beyond that. */
export type Refused = { issues: readonly Issue[]; problem: string | null };

type Answer = { message?: string; path?: readonly string[]; issues?: readonly Issue[] };

/** The refusals in an answer that is a failure, with paths within the input. `error` says why there is no answer. */
export function refusedBy(answer: Answer | undefined, error: Parameters<typeof problemOf>[0]): Refused {
  const { message = "", path = [], issues = answer ? [{ message, path }] : [] } = answer ?? {};
  return { issues: issues.map((it) => ({ message: it.message, path: it.path.slice(1) })), problem: problemOf(error) };
}
