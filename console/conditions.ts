/**
 * Gives the builder the input types of conditions. They come from the schema file of this release, because a server may refuse to
 * show its schema (`AUDIENCE_INTROSPECTION`).
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { buildSchema, getNamedType, isEnumType, isInputObjectType, type GraphQLInputField, type GraphQLSchema } from "graphql";
import type { Plugin } from "vite";

import { typeSpelled, type Field, type Shape } from "./src/builder/shapes";
import { spelled } from "./src/words";

const SCHEMA = join(import.meta.dirname, "..", "schema.graphql");
const ROOT = "ConditionInput";

export function conditionTypes(): Plugin {
  const schema = buildSchema(readFileSync(SCHEMA, "utf-8"));
  return { name: "condition-types", config: () => ({ define: { __CONDITION_TYPES__: JSON.stringify(shapesIn(schema)) } }) };
}

/** The root, and all types that it contains at any depth. */
function shapesIn(schema: GraphQLSchema): Shape[] {
  const names = new Set([ROOT]);
  const shapes: Shape[] = [];
  for (const name of names) {
    const shape = shapeOf(schema, name);
    shapes.push(shape);
    if (shape.kind === "input") shape.fields.forEach((it) => names.add(it.type.name)); // a set goes on with what is added meanwhile
  }
  return shapes;
}

function shapeOf(schema: GraphQLSchema, name: string): Shape {
  const type = getNamedType(schema.getType(name));
  if (isEnumType(type)) return { kind: "enum", name, values: type.getValues().map((it) => it.name) };
  if (!isInputObjectType(type)) return { kind: "scalar", name };
  const fields = Object.values(type.getFields()).filter((it) => it.deprecationReason == null);
  return { kind: "input", name, oneOf: type.isOneOf, fields: fields.map(fieldOf) };
}

function fieldOf({ name, description, type }: GraphQLInputField): Field {
  return { name, label: spelled(name), description: description ?? "", type: typeSpelled(String(type)) };
}
