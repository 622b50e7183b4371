/** What the form for an automation holds, and the input that it becomes. */

import type {
  AutomationActionInput,
  CreateAutomationInput,
  CustomFieldType,
  Duration,
  MembershipChangeKind,
} from "../gql/graphql";

export type Unit = "minutes" | "hours" | "days" | "weeks";
export type ActionKind = "addToGroup" | "removeFromGroup" | "trackEvent" | "setField";

/** All values are those of the form's controls. A part of another kind of action is kept, but not sent. */
export type Draft = {
  name: string;
  /** "segment" or "group", a colon, and the id; blank until one is chosen. */
  list: string;
  on: MembershipChangeKind;
  /** Blank for no hold. */
  hold: string;
  unit: Unit;
  isOnce: boolean;
  isForExisting: boolean;
  action: ActionKind;
  group: string;
  event: string;
  field: string;
  value: string;
};

export const BLANK: Draft = {
  name: "",
  list: "",
  on: "ENTERED",
  hold: "",
  unit: "days",
  isOnce: false,
  isForExisting: false,
  action: "addToGroup",
  group: "",
  event: "",
  field: "",
  value: "",
};

/** The API checks it. `type` is that of the draft's custom field. */
export function inputOf(draft: Draft, type: CustomFieldType | undefined): CreateAutomationInput {
  const [kind, id = ""] = draft.list.split(":");
  return {
    name: draft.name,
    trigger: kind === "group" ? { group: id } : { segment: id },
    on: [draft.on],
    holdFor: draft.hold === "" ? null : lengthOf(Number(draft.hold), draft.unit),
    reentry: draft.isOnce ? { rule: "ONCE" } : null,
    existing: draft.isForExisting ? "FIRE" : "IGNORE",
    actions: [actionOf(draft, type)],
  };
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
  }
}

/** The JSON of a control's text. A blank text removes the field's value. */
function valueOf(text: string, type: CustomFieldType | undefined): unknown {
  if (text === "") return null;
  if (type === "NUMBER") return Number(text);
  if (type === "BOOLEAN") return text === "true";
  if (type === "DATETIME") return new Date(text).toISOString();
  if (type === "LIST") return text.split(",");
  return text;
}
