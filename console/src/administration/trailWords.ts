/** The kinds of entries in the audit trail, in words. */

import type { AuditKind } from "../gql/graphql";
import { FIELDS, toAutomation, toEndpoint, toGroup, toImport, toPerson, toSegment, TOKENS } from "../paths";

/** What can be changed: in a sentence, in the choice above the trail, and where it can be seen; null for nowhere. */
export const OBJECTS = {
  segment: { one: "the segment", many: "Segments", address: toSegment },
  group: { one: "the group", many: "Groups", address: toGroup },
  field: { one: "the custom field", many: "Custom fields", address: () => FIELDS },
  automation: { one: "the automation", many: "Automations", address: toAutomation },
  endpoint: { one: "the webhook endpoint", many: "Webhook endpoints", address: toEndpoint },
  token: { one: "the API token", many: "API tokens", address: () => TOKENS },
  import: { one: "an import", many: "Imports", address: toImport },
  export: { one: "an export", many: "Exports", address: null },
  person: { one: "a person", many: "People", address: toPerson },
  document: { one: "a trusted document", many: "Trusted documents", address: null },
  workspace: { one: "the workspace", many: "The workspace", address: null },
  other: { one: "something else:", many: "Other changes", address: null },
} as const;

export type ObjectKind = keyof typeof OBJECTS;
type Change = { verb: string; object: ObjectKind; /** Whether the object is gone afterwards. */ isEnd?: boolean };

const CHANGES: Record<AuditKind, Change> = {
  SEGMENT_CREATED: { verb: "created", object: "segment" },
  SEGMENT_EDITED: { verb: "edited", object: "segment" },
  SEGMENT_PAUSED: { verb: "paused", object: "segment" },
  SEGMENT_RESUMED: { verb: "resumed", object: "segment" },
  SEGMENT_DELETED: { verb: "deleted", object: "segment", isEnd: true },
  GROUP_CREATED: { verb: "created", object: "group" },
  GROUP_EDITED: { verb: "edited", object: "group" },
  GROUP_DELETED: { verb: "deleted", object: "group", isEnd: true },
  CUSTOM_FIELD_DEFINED: { verb: "defined", object: "field" },
  CUSTOM_FIELD_EDITED: { verb: "edited", object: "field" },
  CUSTOM_FIELD_DELETED: { verb: "deleted", object: "field", isEnd: true },
  AUTOMATION_CREATED: { verb: "created", object: "automation" },
  AUTOMATION_EDITED: { verb: "edited", object: "automation" },
  AUTOMATION_PAUSED: { verb: "paused", object: "automation" },
  AUTOMATION_RESUMED: { verb: "resumed", object: "automation" },
  AUTOMATION_DELETED: { verb: "deleted", object: "automation", isEnd: true },
  WEBHOOK_ENDPOINT_CREATED: { verb: "created", object: "endpoint" },
  WEBHOOK_ENDPOINT_EDITED: { verb: "edited", object: "endpoint" },
  WEBHOOK_ENDPOINT_ENABLED: { verb: "enabled", object: "endpoint" },
  WEBHOOK_ENDPOINT_DISABLED: { verb: "disabled", object: "endpoint" },
  WEBHOOK_ENDPOINT_DELETED: { verb: "deleted", object: "endpoint", isEnd: true },
  WEBHOOK_SECRET_ROTATED: { verb: "gave a new secret to", object: "endpoint" },
  API_TOKEN_CREATED: { verb: "created", object: "token" },
  API_TOKEN_ROTATED: { verb: "rotated", object: "token" },
  API_TOKEN_REVOKED: { verb: "revoked", object: "token", isEnd: true },
  IMPORT_STARTED: { verb: "started", object: "import" },
  IMPORT_CANCELLED: { verb: "stopped", object: "import" },
  IMPORT_UNDONE: { verb: "undid", object: "import" },
  EXPORT_STARTED: { verb: "started", object: "export" },
  SUBSCRIBER_ERASED: { verb: "erased", object: "person", isEnd: true },
  SUBSCRIBER_EXPORTED: { verb: "exported everything about", object: "person" },
  TRUSTED_DOCUMENT_PUBLISHED: { verb: "published", object: "document" },
  TRUSTED_DOCUMENT_WITHDRAWN: { verb: "withdrew", object: "document", isEnd: true },
  WORKSPACE_CREATED: { verb: "created", object: "workspace" },
  WORKSPACE_EDITED: { verb: "edited", object: "workspace" },
};

/** A server may be newer than this page, and record changes that it does not know. */
export function changeOf(kind: AuditKind): Change {
  return (CHANGES as Partial<Record<AuditKind, Change>>)[kind] ?? { verb: "changed", object: "other" };
}

/** The kinds of changes of such objects. */
export function kindsOf(object: ObjectKind): AuditKind[] {
  return (Object.keys(CHANGES) as AuditKind[]).filter((it) => CHANGES[it].object === object);
}

export type Difference = { name: string; before: string | null; after: string | null };

/** The parts of an object that a change changed, as texts; null where the object did not exist. */
export function differencesOf(before: unknown, after: unknown): Difference[] {
  const [was, is] = [(before ?? {}) as Record<string, unknown>, (after ?? {}) as Record<string, unknown>];
  const names = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  const all = names.map((name) => ({
    name,
    before: before == null ? null : textOf(was[name]),
    after: after == null ? null : textOf(is[name]),
  }));
  return all.filter((it) => it.before !== it.after && [it.before, it.after].some((text) => text !== null && text !== NOTHING));
}

const NOTHING = "–";

function textOf(value: unknown): string {
  if (value === null || value === undefined) return NOTHING;
  if (typeof value === "string") return value;
  if (Array.isArray(value) && value.every((it) => typeof it !== "object")) return value.join(", ") || NOTHING;
  return JSON.stringify(value, null, 2);
}
