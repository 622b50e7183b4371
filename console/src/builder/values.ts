/** The value of a filter while somebody edits it: the JSON to send, with `undefined` where a value is missing. */

import type { Field, Shape, Shapes, Type } from "./shapes";

export type Value = undefined | string | number | boolean | Value[] | { [name: string]: Value };
export type Fields = { [name: string]: Value };

export function fieldsOf(value: Value): Fields {
  return typeof value === "object" && !Array.isArray(value) ? value : {};
}

/** Whether an input type is a number and its unit. */
export const isDuration = (name: string) => name === "Duration" || name === "LastPeriod";

/** The initial value of a new filter: a common one, where there is one. */
export function initial(type: Type, shapes: Shapes): Value {
  if (type.isList) return [];
  if (type.name === "Boolean") return true;
  if (isDuration(type.name)) return { days: 30 };
  if (type.name === "ConditionInput") return {}; // no kind is more common than the others
  const shape = shapes.get(type.name);
  if (shape?.kind === "enum") return shape.values[0];
  return shape?.kind === "input" ? initialFields(shape, shapes) : undefined;
}

export function initialFields(shape: Shape & { kind: "input" }, shapes: Shapes): Fields {
  const given = shape.oneOf ? shape.fields.slice(0, 1) : shape.fields.filter((it) => it.type.isRequired);
  return Object.fromEntries(given.map((it) => [it.name, initial(it.type, shapes)]));
}

/** Whether a value has everything that its type requires. The API decides whether it makes sense. */
export function isComplete(value: Value, type: Type, shapes: Shapes): boolean {
  if (type.isList) {
    const item = { ...type, isList: false };
    return Array.isArray(value) && value.length > 0 && value.every((it) => isComplete(it, item, shapes));
  }
  const shape = shapes.get(type.name);
  if (shape?.kind === "input") return areComplete(fieldsOf(value), shape, shapes);
  return typeof value === "string" ? value.trim() !== "" : value !== undefined;
}

export function areComplete(fields: Fields, shape: Shape & { kind: "input" }, shapes: Shapes): boolean {
  const isGiven = (field: Field) => field.name in fields;
  if (shape.oneOf && !shape.fields.some(isGiven)) return false;
  return shape.fields
    .filter((it) => isGiven(it) || (it.type.isRequired && !shape.oneOf))
    .every((it) => isComplete(fields[it.name], it.type, shapes));
}

/** Whether the builder has a control for each of these values. It has none for a bracket inside a filter. */
export function haveControls(fields: Fields, shape: Shape & { kind: "input" }, shapes: Shapes): boolean {
  return Object.entries(fields).every(([name, value]) => {
    const type = shape.fields.find((it) => it.name === name)?.type;
    const inner = type && shapes.get(type.name);
    if (inner?.kind !== "input") return type !== undefined;
    const values = Array.isArray(value) ? value : [value];
    return values.every((it) => haveControls(fieldsOf(it), inner, shapes));
  });
}
