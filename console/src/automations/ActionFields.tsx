import { useId } from "react";

import { within } from "../builder/usePreview";
import type { ActionKind } from "./draft";
import { Field } from "./Field";
import type { PartProps } from "./TriggerFields";
import { Value } from "./Value";
import { WebhookFields } from "./WebhookFields";

const KINDS: Record<ActionKind, string> = {
  addToGroup: "add them to a group",
  removeFromGroup: "remove them from a group",
  trackEvent: "track an event",
  setField: "set a custom field",
  webhook: "send a webhook",
};

/** The one action of a simple automation. */
export function ActionFields(props: PartProps) {
  const { draft, onChange, issues } = props;
  return (
    <>
      <Field label="Then" issues={issues.filter((it) => it.path[0] === "actions" && it.path.length < 3)}>
        {(control) => (
          <select {...control} value={draft.action} onChange={(event) => onChange({ action: event.target.value as ActionKind })}>
            {Object.entries(KINDS).map(([kind, words]) => (
              <option key={kind} value={kind}>
                {words}
              </option>
            ))}
          </select>
        )}
      </Field>
      {draft.action === "trackEvent" && <EventFields {...props} />}
      {draft.action === "setField" && <ValueFields {...props} />}
      {draft.action === "webhook" && <WebhookFields {...props} />}
      {(draft.action === "addToGroup" || draft.action === "removeFromGroup") && <GroupFields {...props} />}
    </>
  );
}

function GroupFields({ draft, onChange, vocabulary, issues }: PartProps) {
  return (
    <Field label="Group" issues={within(issues, ["actions", "0", draft.action])}>
      {(control) => (
        <select {...control} value={draft.group} onChange={(event) => onChange({ group: event.target.value })}>
          <option value="">Choose…</option>
          {vocabulary.groups.map((it) => (
            <option key={it.id} value={it.id}>
              {it.name}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

function EventFields({ draft, onChange, vocabulary, issues }: PartProps) {
  const names = useId();
  return (
    <Field label="Event" issues={within(issues, ["actions", "0", "trackEvent"])}>
      {(control) => (
        <>
          <input
            {...control}
            type="text"
            maxLength={100}
            list={names}
            value={draft.event}
            onChange={(event) => onChange({ event: event.target.value })}
          />
          <datalist id={names}>
            {vocabulary.events.map((it) => (
              <option key={it.name} value={it.name} />
            ))}
          </datalist>
        </>
      )}
    </Field>
  );
}

function ValueFields({ draft, onChange, vocabulary, issues }: PartProps) {
  const type = vocabulary.fields.find((it) => it.key === draft.field)?.type;
  const found = within(issues, ["actions", "0", "setField"]);
  return (
    <>
      <Field label="Custom field" issues={found.filter((it) => it.path[0] !== "value")}>
        {(control) => (
          <select {...control} value={draft.field} onChange={(event) => onChange({ field: event.target.value, value: "" })}>
            <option value="">Choose…</option>
            {vocabulary.fields.map((it) => (
              <option key={it.key} value={it.key}>
                {it.label}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label="Value" issues={within(found, ["value"])}>
        {(control) => <Value control={control} type={type} value={draft.value} onChange={(value) => onChange({ value })} />}
      </Field>
    </>
  );
}
