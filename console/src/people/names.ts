/** How the console writes a person's name and place, and words about channels. */

import type { Channel, ChannelStatus } from "../gql/graphql";

type Named = {
  id: string;
  email?: string | null;
  phone?: string | null;
  externalId?: string | null;
  firstName?: string | null;
  lastName?: string | null;
};
type Placed = { city?: string | null; region?: string | null; country?: string | null };

/** The given and family name; blank if neither is known. */
export function fullName({ firstName, lastName }: Pick<Named, "firstName" | "lastName">): string {
  return [firstName, lastName].filter(Boolean).join(" ");
}

/** The first key that the person has. */
export function keyOf({ id, email, phone, externalId }: Named): string {
  return email ?? phone ?? externalId ?? id;
}

export function nameOf(person: Named): string {
  return fullName(person) || keyOf(person);
}

export function placeOf({ city, region, country }: Placed): string {
  return [city, region, country].filter(Boolean).join(", ");
}

export const CHANNELS: Record<Channel, string> = {
  EMAIL: "Email",
  TRANSACTIONAL_EMAIL: "Transactional email",
  SMS: "SMS",
  TRANSACTIONAL_SMS: "Transactional SMS",
};

export const STATUSES: Record<ChannelStatus, string> = {
  ACTIVE: "active",
  UNCONFIRMED: "unconfirmed",
  UNSUBSCRIBED: "unsubscribed",
  BOUNCED: "bounced",
  SPAM_REPORTED: "reported as spam",
};
