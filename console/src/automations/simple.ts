/** Which automations the form can show. It must never save an automation of which it shows only a part. */

import type { Vocabulary } from "../builder/vocabulary";
import { graphql } from "../api/graphql";
import type { EditedAutomationFragment } from "../gql/graphql";

/** Everything that the form shows, and what tells whether it can show all. */
export const EDITED = graphql(`
  fragment EditedAutomation on Automation {
    id
    name
    revision
    summary
    segment {
      id
      name
    }
    group {
      id
      name
    }
    on
    holdFor
    reentry
    causes
    onlyIf
    actions
  }
`);

/** The actions with exactly one key each, as the API gives them. */
export function actionsOf(automation: Pick<EditedAutomationFragment, "actions">): Partial<Action>[] {
  return automation.actions as Partial<Action>[]; // JSON in the shape of AutomationActionInput
}

type Action = {
  addToGroup: string;
  removeFromGroup: string;
  trackEvent: { name: string; value: number | null; properties: object | null };
  setField: { key: string; value: unknown };
  webhook: { endpoint: string; fields: string[] };
};

/** Why the form cannot show this automation, as parts of a sentence; [] if it can. */
export function reasonsAgainst(automation: EditedAutomationFragment, vocabulary: Vocabulary): string[] {
  const { segment, group, onlyIf, causes } = automation;
  const actions = actionsOf(automation);
  const isDefault = causes.length === 2 && causes.includes("FACT") && causes.includes("CLOCK");
  const isListed = [...vocabulary.segments, ...vocabulary.groups].some((it) => it.id === (segment ?? group)?.id);
  const reasons = [
    actions.length !== 1 && `it has ${actions.length} actions`,
    onlyIf !== null && "it has a condition on the person",
    !isDefault && "it says which causes of a change start it",
    !isListed && "its list is not among those that the form offers",
    ...actions.map((it) => reasonAgainst(it, vocabulary)),
  ];
  return reasons.filter((it) => it !== false);
}

function reasonAgainst(action: Partial<Action>, vocabulary: Vocabulary): string | false {
  const { addToGroup, removeFromGroup, trackEvent, setField } = action;
  const group = addToGroup ?? removeFromGroup;
  if (group !== undefined)
    return !vocabulary.groups.some((it) => it.id === group) && "its group is not among those that the form offers";
  if (trackEvent) {
    const hasMore = trackEvent.value != null || Object.keys(trackEvent.properties ?? {}).length > 0;
    return hasMore && "its event has a value or properties";
  }
  const entries = Array.isArray(setField?.value) ? setField.value : [];
  return entries.some((it) => String(it).includes(",")) && "its value has an entry with a comma";
}
