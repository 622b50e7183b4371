/** What tokens may do, in words. */

import type { Scope } from "../gql/graphql";

export const SCOPES: Record<Scope, string> = {
  READ: "read everything except tokens, webhooks and the audit trail",
  WRITE: "change everything except tokens and webhooks",
  TRACK: "track events",
  ADMIN: "do everything, including tokens, webhooks and the audit trail",
};

const AND = new Intl.ListFormat("en", { type: "conjunction" });

/** The scopes as parts of a sentence. ADMIN contains all others. */
export function shownScopes(scopes: readonly Scope[]): string {
  const all = scopes.includes("ADMIN" as Scope) ? (["ADMIN"] as Scope[]) : scopes;
  return AND.format(all.map((it) => SCOPES[it]));
}
