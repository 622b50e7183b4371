/**
 * The input types of conditions. Nobody lists them by hand: kinds and their operators come from `conditionKinds`, and nested types
 * (windows, ranges, durations) from the schema that this page was built with (../../conditions.ts).
 */

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
