/** What tokens may do, in words. */

import type { CreateApiTokenInput, Scope } from "../gql/graphql";

export const SCOPES: Record<Scope, string> = {
  READ: "read everything except tokens, webhooks and the audit trail",
  WRITE: "change everything except tokens and webhooks",
  TRACK: "track events",
  ADMIN: "do everything, including tokens, webhooks and the audit trail",
};

/** Which documents a token may run. */
export type Documents = "any" | "trusted" | "withConsole";

export const DOCUMENTS: Record<Documents, string> = {
  any: "any document that its scopes allow",
  trusted: "only trusted documents",
  withConsole: "only trusted documents and those of this console, so that it can sign in here",
};

type Limits = Pick<CreateApiTokenInput, "onlyTrustedDocuments" | "withConsoleDocuments">;

export const LIMITS: Record<Documents, Limits> = {
  any: { onlyTrustedDocuments: false, withConsoleDocuments: false },
  trusted: { onlyTrustedDocuments: true, withConsoleDocuments: false },
  withConsole: { onlyTrustedDocuments: true, withConsoleDocuments: true },
};

/** The limit of a token as a part of a sentence; blank without one. */
export function shownLimit({ onlyTrustedDocuments, withConsoleDocuments }: Limits): string {
  if (!onlyTrustedDocuments) return "";
  return withConsoleDocuments ? ", with trusted documents and those of the console only" : ", with trusted documents only";
}

const AND = new Intl.ListFormat("en", { type: "conjunction" });

/** The scopes as parts of a sentence. ADMIN contains all others. */
export function shownScopes(scopes: readonly Scope[]): string {
  const all = scopes.includes("ADMIN" as Scope) ? (["ADMIN"] as Scope[]) : scopes;
  return AND.format(all.map((it) => SCOPES[it]));
}
