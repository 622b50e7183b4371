/** What a column of a file can contain, and guesses from the column's name. */

import type { ImportTarget } from "../gql/graphql";

export type Target = { /** How the form names it: `profile:EMAIL`, `field:cohort`, `channel:SMS`. */ key: string; label: string };
export type KnownField = { key: string; label: string };

const PROFILE = {
  EXTERNAL_ID: ["External id", "externalid", "customerid", "customer", "userid", "personid", "id"],
  EMAIL: ["Email", "email", "emailaddress", "mail", "mailaddress"],
  PHONE: ["Phone", "phone", "phonenumber", "mobile", "mobilenumber", "telephone", "tel"],
  FIRST_NAME: ["First name", "firstname", "givenname", "forename"],
  LAST_NAME: ["Last name", "lastname", "familyname", "surname"],
  LANGUAGE: ["Language", "language", "lang", "locale"],
  TIMEZONE: ["Time zone", "timezone", "tz"],
  BIRTHDAY: ["Birthday", "birthday", "birthdate", "dateofbirth", "dob"],
  COUNTRY: ["Country", "country", "countrycode"],
  REGION: ["Region", "region", "state", "province", "county"],
  CITY: ["City", "city", "town"],
  POSTAL_CODE: ["Postal code", "postalcode", "postcode", "zip", "zipcode"],
  LATITUDE: ["Latitude", "latitude", "lat"],
  LONGITUDE: ["Longitude", "longitude", "lng", "lon", "long"],
} as const;
const CHANNELS = {
  EMAIL: ["Consent to email", "emailstatus", "newsletter", "emailconsent"],
  SMS: ["Consent to text messages", "smsstatus", "smsconsent"],
  TRANSACTIONAL_EMAIL: ["Consent to emails about actions", "transactionalemail"],
  TRANSACTIONAL_SMS: ["Consent to text messages about actions", "transactionalsms"],
} as const;
/** One of these must be there, because it says whom a row is about. */
const KEYS = ["profile:EXTERNAL_ID", "profile:EMAIL", "profile:PHONE"];

export const PROFILE_TARGETS = targetsOf("profile", PROFILE);
export const CHANNEL_TARGETS = targetsOf("channel", CHANNELS);
export const fieldTargets = (fields: readonly KnownField[]): Target[] =>
  fields.map(({ key, label }) => ({ key: `field:${key}`, label: label === key ? key : `${label} (${key})` }));

/** A target for each column, or "" to leave it out. No target is guessed twice. */
export function guessed(headers: readonly string[], fields: readonly KnownField[]): string[] {
  const taken = new Set<string>();
  return headers.map((header) => {
    const name = plain(header);
    const found = [...named("profile", PROFILE), ...ownNames(fields), ...named("channel", CHANNELS)].find(
      ([key, names]) => names.includes(name) && !taken.has(key),
    );
    if (found) taken.add(found[0]);
    return found?.[0] ?? "";
  });
}

/** What is wrong with the choice, in a sentence; null if nothing is. The server checks everything again. */
export function problemOf(chosen: readonly string[]): string | null {
  const used = chosen.filter((it) => it !== "");
  if (new Set(used).size < used.length) return "Two columns have the same meaning. Leave one of them out.";
  if (!used.some((it) => KEYS.includes(it))) return "Say which column has the external id, the email or the phone number.";
  return null;
}

export function targetOf(key: string): ImportTarget {
  const at = key.indexOf(":");
  const target: unknown = { [key.slice(0, at)]: key.slice(at + 1) };
  return target as ImportTarget; // the form offers only kinds and values of the schema
}

type Names = Readonly<Record<string, readonly [string, ...string[]]>>;

function targetsOf(kind: string, names: Names): Target[] {
  return Object.entries(names).map(([name, [label]]) => ({ key: `${kind}:${name}`, label }));
}

function named(kind: string, names: Names): [string, string[]][] {
  return Object.entries(names).map(([name, [label, ...others]]) => [`${kind}:${name}`, [plain(label), ...others]]);
}

function ownNames(fields: readonly KnownField[]): [string, string[]][] {
  return fields.map(({ key, label }) => [`field:${key}`, [plain(key), plain(label)]]);
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, "");
}
