/**
 * The input types of conditions. All of them come from the API: kinds and their operators from `conditionKinds`, and
 * nested types (windows, ranges, durations) from introspection. So a new kind in the server appears here without a new
 * version of this page.
 */

import { typedByHand } from "../api/graphql";
import { spelled } from "../words";

export type Field = { name: string; label: string; description: string; type: Type };
export type Type = { name: string; isList: boolean; isRequired: boolean };
export type Shape =
  | { kind: "input"; name: string; oneOf: boolean; fields: Field[] }
  | { kind: "enum"; name: string; values: string[] }
  | { kind: "scalar"; name: string };
export type Shapes = ReadonlyMap<string, Shape>;

/** Parses a type as the schema writes it, such as `[String!]!`. */
export function typeSpelled(spelling: string): Type {
  return {
    name: spelling.replaceAll(/[[\]!]/g, ""),
    isList: spelling.startsWith("["),
    isRequired: spelling.endsWith("!"),
  };
}

export const INTROSPECTION = typedByHand<{ __schema: { types: Introspected[] } }, object>(`
  query Shapes {
    __schema {
      types {
        kind
        name
        isOneOf
        enumValues { name }
        inputFields {
          name
          description
          type { ...Reference ofType { ...Reference ofType { ...Reference ofType { ...Reference } } } }
        }
      }
    }
  }
  fragment Reference on __Type { kind name }
`);

type Introspected = {
  kind: string;
  name: string;
  isOneOf: boolean | null;
  enumValues: { name: string }[] | null;
  inputFields: { name: string; description: string | null; type: Reference }[] | null;
};
type Reference = { kind: string; name: string | null; ofType?: Reference | null };

export function shapesOf(types: readonly Introspected[]): Shapes {
  return new Map(types.map((it) => [it.name, shapeOf(it)]));
}

function shapeOf({ name, isOneOf, enumValues, inputFields }: Introspected): Shape {
  if (enumValues) return { kind: "enum", name, values: enumValues.map((it) => it.name) };
  if (!inputFields) return { kind: "scalar", name };
  const fields = inputFields.map((it) => ({
    name: it.name,
    label: spelled(it.name),
    description: it.description ?? "",
    type: typeSpelled(spelling(it.type)),
  }));
  return { kind: "input", name, oneOf: isOneOf ?? false, fields };
}

function spelling({ kind, name, ofType }: Reference): string {
  if (!ofType) return name ?? "";
  return kind === "LIST" ? `[${spelling(ofType)}]` : `${spelling(ofType)}!`;
}
