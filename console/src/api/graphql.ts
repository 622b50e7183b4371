/**
 * The documents of this page: plain text when it runs, and typed by the generator when it is checked.
 *
 * A document stays in the module that uses it, so a page that is loaded later brings its own documents.
 */

import type { graphql as generated } from "../gql";

/** A document whose data and variables the generator has typed. Its text must be written out in place. */
export const graphql = ((text: string) => text) as unknown as typeof generated;

/** A document with the fragments that it spreads. */
export function withFragments<Typed>(document: Typed, ...fragments: unknown[]): Typed {
  return [document, ...fragments].map(textOf).join("\n") as Typed;
}

/** The text of a document. */
export function textOf(document: unknown): string {
  return String(document);
}
