/**
 * The documents of this page, typed by the generator when it is checked.
 *
 * The development server sends them as text. The production build has no texts (see ../../documents.ts): a document is its hash, which
 * the server of the same release knows. A document stays in the module that uses it, so a page that is loaded later brings its own.
 */

import type { graphql as generated } from "../gql";

/** The address of the file with the texts, in a production build. */
declare const __TEXTS__: string;

type Named = { kind: "Document"; definitions: []; documentId: string };
export type Texts = (document: unknown) => string;

/** A document whose data and variables the generator has typed. Its text must be written out in place. */
export const graphql = (import.meta.env.DEV ? (text: string) => text : named) as unknown as typeof generated;

/** A document with the fragments that it spreads. */
export function withFragments<Typed>(document: Typed, ...fragments: unknown[]): Typed {
  return import.meta.env.DEV ? ([document, ...fragments].map(String).join("\n") as Typed) : document; // a hash has them already
}

/** The texts of documents, for people to read. */
export async function loadTexts(): Promise<Texts> {
  if (import.meta.env.DEV) return String;
  const answer = await fetch(new URL(__TEXTS__, document.baseURI));
  if (!answer.ok) throw new Error("This version of the page is no longer served.");
  const texts = (await answer.json()) as Record<string, string>;
  return (it) => texts[(it as Named).documentId] ?? "";
}

/** What urql sends as `documentId`. */
function named(documentId: string): Named {
  return { kind: "Document", definitions: [], documentId };
}
