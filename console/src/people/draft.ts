/** What the form for a person holds, and the input that it becomes. */

import { textOf, valueOf } from "../automations/draft";
import type { EditedPersonQuery, SubscriberInput } from "../gql/graphql";

export type Read = NonNullable<EditedPersonQuery["subscriber"]>;
export type CustomField = EditedPersonQuery["customFields"][number];

/** The profile as the form shows it, in its order. */
export const PROFILE = {
  email: "Email",
  phone: "Phone",
  externalId: "External id",
  firstName: "First name",
  lastName: "Last name",
  city: "City",
  region: "Region",
  postalCode: "Postal code",
  country: "Country",
  latitude: "Latitude",
  longitude: "Longitude",
  language: "Language",
  timezone: "Time zone",
  birthday: "Birthday",
} as const;
export type Part = keyof typeof PROFILE;

/** The parts that belong to one person only. */
export const KEYS = ["email", "phone", "externalId"] as const;
export type Key = (typeof KEYS)[number];

const NUMBERS: readonly Part[] = ["latitude", "longitude"];

/** The texts of the controls. Blank stands for no value. */
export type Draft = { profile: Record<Part, string>; fields: Record<string, string> };

/** The form for this person; blank for a new one. */
export function draftOf(person: Read | null, fields: readonly CustomField[]): Draft {
  const profile = Object.fromEntries(
    (Object.keys(PROFILE) as Part[]).map((part) => [part, String(person?.[part] ?? "")]),
  ) as Draft["profile"];
  const values = new Map(person?.fields.map((it) => [it.key, it.value]));
  return { profile, fields: Object.fromEntries(fields.map(({ key, type }) => [key, textOf(values.get(key), type)])) };
}

/** Only what the visitor changed, so that an edit overwrites nothing else that others changed meanwhile. */
export function inputOf(draft: Draft, start: Draft, fields: readonly CustomField[], id: string | null): SubscriberInput {
  const input: Record<string, unknown> = id === null ? {} : { id };
  for (const part of changedParts(draft, start)) input[part] = partOf(part, draft.profile[part]);
  if ("latitude" in input || "longitude" in input)
    for (const part of ["latitude", "longitude"] as const) input[part] = partOf(part, draft.profile[part]); // they belong together
  const changed = fields.filter(({ key }) => draft.fields[key] !== start.fields[key]);
  if (changed.length > 0)
    input.fields = changed.map(({ key, type }) => ({ key, value: valueOf(draft.fields[key] ?? "", type) }));
  return input as SubscriberInput; // its parts are known only at run time
}

export function changedParts(draft: Draft, start: Draft): Part[] {
  return (Object.keys(PROFILE) as Part[]).filter((part) => draft.profile[part].trim() !== start.profile[part]);
}

function partOf(part: Part, text: string): string | number | null {
  if (text.trim() === "") return null;
  return NUMBERS.includes(part) ? Number(text) : text.trim();
}
