import { useEffect, useRef, useState, type FormEvent } from "react";

import { Field } from "../automations/Field";
import { Value } from "../automations/Value";
import { within, type Issue } from "../builder/usePreview";
import { go, PEOPLE, toPerson } from "../paths";
import { changedParts, draftOf, inputOf, PROFILE, type CustomField, type Draft, type Key, type Part, type Read } from "./draft";
import { nameOf } from "./names";
import { useSaving, type Owners, type Saved } from "./saving";

type PersonFormProps = {
  /** The person as they were read; null for a new one. */
  person: Read | null;
  fields: readonly CustomField[];
};

const TYPES: Partial<Record<Part, string>> = {
  email: "email",
  phone: "tel",
  birthday: "date",
  latitude: "number",
  longitude: "number",
};
const EXAMPLES: Partial<Record<Part, string>> = {
  phone: "+37060000000",
  country: "LT",
  language: "pt-BR",
  timezone: "Europe/Vilnius",
};

export function PersonForm({ person, fields }: PersonFormProps) {
  const [start] = useState(() => draftOf(person, fields));
  const [draft, setDraft] = useState<Draft>(start);
  const [saved, setSaved] = useState<Saved | null>(null);
  const { save, isSaving } = useSaving();
  const form = useRef<HTMLFormElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const issues = saved?.issues ?? [];
  const sentFields = fields.filter(({ key }) => draft.fields[key] !== start.fields[key]);

  useEffect(() => heading.current?.focus(), []);
  useEffect(() => form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus(), [saved]);

  function change(changed: Draft) {
    setDraft(changed);
    setSaved(null);
  }

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (person && changedParts(draft, start).length === 0 && sentFields.length === 0) return go(toPerson(person.id));
    const answer = await save(inputOf(draft, start, fields, person?.id ?? null));
    if (answer.id !== null) go(toPerson(answer.id));
    else setSaved(answer);
  }

  return (
    <form ref={form} className="automation-form" noValidate onSubmit={(event) => void submit(event)}>
      <h2 ref={heading} tabIndex={-1}>
        {person ? `Edit ${nameOf(person)}` : "Add a person"}
      </h2>
      <OwnersTold owners={saved?.owners ?? {}} />
      {(Object.keys(PROFILE) as Part[]).map((part) => (
        <Field key={part} label={PROFILE[part]} issues={[...within(issues, [part]), ...takenOf(part, saved?.owners)]}>
          {(control) => (
            <input
              {...control}
              type={TYPES[part] ?? "text"}
              step="any"
              autoComplete="off"
              placeholder={EXAMPLES[part]}
              value={draft.profile[part]}
              onChange={(event) => change({ ...draft, profile: { ...draft.profile, [part]: event.target.value } })}
            />
          )}
        </Field>
      ))}
      {fields.length > 0 && <h3>Custom fields</h3>}
      {fields.map(({ key, label, type }) => (
        <Field key={key} label={label} issues={within(issues, ["fields", String(sentFields.findIndex((it) => it.key === key))])}>
          {(control) => (
            <Value
              control={control}
              type={type}
              value={draft.fields[key] ?? ""}
              onChange={(value) => change({ ...draft, fields: { ...draft.fields, [key]: value } })}
            />
          )}
        </Field>
      ))}
      <div className="save">
        <button type="submit" className="primary" disabled={isSaving}>
          {isSaving ? "Saving…" : person ? "Save" : "Add them"}
        </button>
        <a href={person ? toPerson(person.id) : PEOPLE}>Cancel</a>
        <p className="problem" role="alert">
          {saved?.problem ?? elsewhere(issues)}
        </p>
      </div>
    </form>
  );
}

/** Whose keys these are. Nothing was saved. */
function OwnersTold({ owners }: { owners: Owners }) {
  const taken = Object.entries(owners);
  if (taken.length === 0) return null;
  return (
    <section className="conflict" aria-label="Conflict" role="alert">
      <p>Nothing is saved, because a key can belong to one person only.</p>
      {taken.map(([key, owner]) => (
        <p key={key}>
          {PROFILE[key as Key]}: <a href={toPerson(owner.id)}>{nameOf(owner)}</a> has it.
        </p>
      ))}
    </section>
  );
}

function takenOf(part: Part, owners: Owners = {}): Issue[] {
  const owner = owners[part as Key];
  return owner ? [{ message: `it belongs to ${nameOf(owner)}`, path: [part] }] : [];
}

/** The refusals that belong to no field of the form. */
function elsewhere(issues: readonly Issue[]): string {
  const others = issues.filter((it) => !(it.path[0] !== undefined && (it.path[0] in PROFILE || it.path[0] === "fields")));
  return others.map((it) => it.message).join("; ");
}
