/**
 * Takes the texts of the documents out of the production build. The page sends hashes, and the server of the same release knows them.
 *
 * It writes two files: persisted-documents.json for the server, with what each hash stands for, and one for "Open as GraphQL", with the
 * texts as people read them. The development server sends texts, and does not use this.
 */

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { Kind, parse, print, visit, type DefinitionNode, type DocumentNode, type FieldNode, type FragmentDefinitionNode } from "graphql";
import type { Plugin } from "vite";

const SOURCES = join(import.meta.dirname, "src");
const GENERATED = join(SOURCES, "gql");
const CALL = /(?<=\bgraphql\(\s*)`([^`]*)`/g;
const TYPENAME: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: "__typename" } };

type Documents = { /** What the page sends, by the text in its source. It is empty for a fragment. */ ids: Map<string, string>; sent: object; readable: object };

export function documentsByHash(): Plugin {
  const { ids, sent, readable } = read();
  const texts = JSON.stringify(readable);
  const fileName = `console/texts-${hashOf(texts).slice(0, 8)}.json`;
  return {
    name: "documents-by-hash",
    apply: "build",
    enforce: "pre",
    config: () => ({ define: { __TEXTS__: JSON.stringify(fileName) } }),
    transform(code, file) {
      if (!file.startsWith(SOURCES) || !/\.tsx?$/.test(file)) return null;
      return code.replace(CALL, (_, text: string) => JSON.stringify(ids.get(text) ?? this.error(`The document is not known: ${text}`)));
    },
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "persisted-documents.json", source: JSON.stringify(sent, null, 1) });
      this.emitFile({ type: "asset", fileName, source: texts });
    },
  };
}

/** All documents of the sources. Throws an Error if one of them cannot be complete. */
function read(): Documents {
  const texts = readdirSync(SOURCES, { recursive: true, encoding: "utf-8" })
    .map((name) => join(SOURCES, name))
    .filter((file) => /\.tsx?$/.test(file) && !file.startsWith(GENERATED))
    .sort()
    .flatMap((file) => [...readFileSync(file, "utf-8").matchAll(CALL)].map((it) => it[1] ?? ""));
  const parsed = texts.map((text) => [text, parse(text, { noLocation: true }).definitions] as const);
  const fragments = new Map(parsed.flatMap(([, it]) => it).filter(isFragment).map((it) => [it.name.value, it]));
  const all: Documents = { ids: new Map(), sent: {}, readable: {} };
  for (const [text, definitions] of parsed) {
    const [operation, ...more] = definitions.filter((it) => !isFragment(it));
    if (more.length > 0) throw new Error(`A document has one operation at most: ${text}`);
    if (operation === undefined) {
      all.ids.set(text, "");
      continue;
    }
    const document = complete(operation, fragments);
    const wanted = print(withTypenames(document));
    const hash = hashOf(wanted);
    all.ids.set(text, `sha256:${hash}`);
    Object.assign(all.sent, { [hash]: wanted });
    Object.assign(all.readable, { [`sha256:${hash}`]: print(document) });
  }
  return all;
}

function isFragment(definition: DefinitionNode): definition is FragmentDefinitionNode {
  return definition.kind === Kind.FRAGMENT_DEFINITION;
}

/** An operation with the fragments that it spreads, and those that they spread. */
function complete(operation: DefinitionNode, fragments: ReadonlyMap<string, FragmentDefinitionNode>): DocumentNode {
  const definitions = new Set([operation]);
  for (const definition of definitions) {
    visit(definition, {
      FragmentSpread({ name }) {
        const fragment = fragments.get(name.value);
        if (fragment === undefined) throw new Error(`There is no fragment ${name.value}.`);
        definitions.add(fragment); // a set goes on with what is added meanwhile
      },
    });
  }
  return { kind: Kind.DOCUMENT, definitions: [...definitions] };
}

/** With the type of each object, by which urql's cache knows what a mutation changed. urql adds it itself to documents with text. */
function withTypenames(document: DocumentNode): DocumentNode {
  return visit(document, {
    Field(field) {
      const has = field.selectionSet?.selections.some((it) => it.kind === Kind.FIELD && it.name.value === "__typename" && !it.alias);
      if (field.selectionSet === undefined || has) return undefined;
      return { ...field, selectionSet: { ...field.selectionSet, selections: [...field.selectionSet.selections, TYPENAME] } };
    },
  });
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
