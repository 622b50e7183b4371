/** What the form for an automation holds, the input that it becomes, and what it holds for an automation that exists. */

import type {
  AutomationActionInput,
  CreateAutomationInput,
  CustomFieldType,
  Duration,
  EditedAutomationFragment,
  MembershipChangeKind,
  ReentryInput,
  UpdateAutomationInput,
} from "../gql/graphql";
import { actionsOf } from "./simple";

export const UNITS = ["minutes", "hours", "days", "weeks"] as const;
export type Unit = (typeof UNITS)[number];
export type ActionKind = "addToGroup" | "removeFromGroup" | "trackEvent" | "setField" | "webhook";

/** All values are those of the form's controls. A part of another kind of action is kept, but not sent. */
export type Draft = {
  name: string;
  /** "segment" or "group", a colon, and the id; blank until one is chosen. */
  list: string;
  on: MembershipChangeKind | "BOTH";
  /** Blank for no hold. */
  hold: string;
  unit: Unit;
  reentry: "EVERY_TIME" | "ONCE" | "ONCE_IN";
  onceIn: string;
  onceUnit: Unit;
  isForExisting: boolean;
  action: ActionKind;
  group: string;
  event: string;
  field: string;
  value: string;
  endpoint: string;
  /** What a webhook tells of the person. */
  told: readonly string[];
};

export const BLANK: Draft = {
  name: "",
  list: "",
  on: "ENTERED",
  hold: "",
  unit: "days",
  reentry: "EVERY_TIME",
  onceIn: "30",
  onceUnit: "days",
  isForExisting: false,
  action: "addToGroup",
  group: "",
  event: "",
  field: "",
  value: "",
  endpoint: "",
  told: [],
};

/** The API checks it. `type` is that of the draft's custom field. */
export function inputOf(draft: Draft, type: CustomFieldType | undefined): CreateAutomationInput {
  return { ...rulesOf(draft, type), existing: draft.isForExisting ? "FIRE" : "IGNORE" };
}

/** An edit of everything that the form shows. It changes nothing unless the automation still has the revision of `edited`. */
export function editOf(
  draft: Draft,
  type: CustomFieldType | undefined,
  edited: { id: string; revision: number },
): UpdateAutomationInput {
  return { ...rulesOf(draft, type), id: edited.id, ifRevision: edited.revision };
}

function rulesOf(draft: Draft, type: CustomFieldType | undefined) {
  const [kind, id = ""] = draft.list.split(":");
  const on: MembershipChangeKind[] = draft.on === "BOTH" ? ["ENTERED", "LEFT"] : [draft.on];
  return {
    name: draft.name,
    trigger: kind === "group" ? { group: id } : { segment: id },
    on,
    holdFor: draft.hold === "" ? null : lengthOf(Number(draft.hold), draft.unit),
    reentry: reentryOf(draft),
    actions: [actionOf(draft, type)],
  };
}

/** Whether everything is chosen that the API needs for a preview. */
export function isComplete(draft: Draft): boolean {
  const parts: Record<ActionKind, string> = {
    addToGroup: draft.group,
    removeFromGroup: draft.group,
    trackEvent: draft.event,
    setField: draft.field,
    webhook: draft.endpoint,
  };
  return draft.list !== "" && parts[draft.action].trim() !== "";
}

function reentryOf(draft: Draft): ReentryInput {
  if (draft.reentry === "ONCE_IN") return { onceIn: lengthOf(Number(draft.onceIn), draft.onceUnit) };
  return { rule: draft.reentry };
}

function lengthOf(amount: number, unit: Unit): Duration {
  return { [unit]: amount } as Partial<Record<Unit, number>> as Duration; // the unit is known only at run time
}

function actionOf(draft: Draft, type: CustomFieldType | undefined): AutomationActionInput {
  switch (draft.action) {
    case "addToGroup":
      return { addToGroup: draft.group };
    case "removeFromGroup":
      return { removeFromGroup: draft.group };
    case "trackEvent":
      return { trackEvent: { name: draft.event } };
    case "setField":
      return { setField: { key: draft.field, value: valueOf(draft.value, type) } };
    case "webhook":
      return { webhook: { endpoint: draft.endpoint, fields: [...draft.told] } };
  }
}

/** The JSON of a control's text. A blank text removes the field's value. */
export function valueOf(text: string, type: CustomFieldType | undefined): unknown {
  if (text === "") return null;
  if (type === "NUMBER") return Number(text);
  if (type === "BOOLEAN") return text === "true";
  if (type === "DATETIME") return new Date(text).toISOString();
  if (type === "LIST") return text.split(",");
  return text;
}

/** What the form shows for an automation that it can show. `typeOf` gives the type of a custom field. */
export function draftOf(
  automation: EditedAutomationFragment,
  typeOf: (key: string) => CustomFieldType | undefined,
): Draft {
  const { name, segment, group, on, holdFor, reentry } = automation;
  const [hold, unit] = partsOf(holdFor) ?? ["", BLANK.unit];
  const [onceIn, onceUnit] = partsOf(reentry) ?? [BLANK.onceIn, BLANK.onceUnit];
  return {
    ...BLANK,
    name,
    list: segment ? `segment:${segment.id}` : `group:${group?.id ?? ""}`,
    on: on.length > 1 ? "BOTH" : (on[0] ?? "ENTERED"),
    hold,
    unit,
    reentry: typeof reentry === "string" ? (reentry as Draft["reentry"]) : "ONCE_IN",
    onceIn,
    onceUnit,
    ...actionPartsOf(automation, typeOf),
  };
}

/** The amount and the unit of a Duration; null for anything else. */
function partsOf(length: unknown): [string, Unit] | null {
  if (typeof length !== "object" || length === null) return null;
  const [unit, amount] = Object.entries(length)[0] ?? [];
  return [String(amount), unit as Unit];
}

function actionPartsOf(
  automation: EditedAutomationFragment,
  typeOf: (key: string) => CustomFieldType | undefined,
): Partial<Draft> {
  const { addToGroup, removeFromGroup, trackEvent, setField, webhook } = actionsOf(automation)[0] ?? {};
  if (addToGroup) return { action: "addToGroup", group: addToGroup };
  if (removeFromGroup) return { action: "removeFromGroup", group: removeFromGroup };
  if (trackEvent) return { action: "trackEvent", event: trackEvent.name };
  if (setField)
    return { action: "setField", field: setField.key, value: textOf(setField.value, typeOf(setField.key)) };
  if (webhook) return { action: "webhook", endpoint: webhook.endpoint, told: webhook.fields };
  return {};
}

export function textOf(value: unknown, type: CustomFieldType | undefined): string {
  if (value === null || value === undefined) return "";
  if (type === "DATETIME") return localOf(new Date(value as string));
  return String(value); // of a list: its entries with commas
}

/** As a control for an instant wants it: the local time without an offset. */
export function localOf(instant: Date): string {
  const shifted = new Date(instant.getTime() - instant.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 23);
}
