import { useState } from "react";
import { useMutation } from "urql";

import { graphql } from "../api/graphql";
import { Field } from "../automations/Field";
import { refusedBy } from "../forms/refusals";
import { SmallForm } from "../forms/SmallForm";
import { TextField } from "../forms/TextField";
import type { CustomFieldType } from "../gql/graphql";
import { FIELDS, go } from "../paths";
import { OF_FIELDS } from "./FieldList";
import { TYPES } from "./fieldTypes";

const DEFINE = graphql(`
  mutation DefineCustomField($input: DefineCustomFieldInput!) {
    defineCustomField(input: $input) {
      __typename
      ... on CustomField {
        id
      }
      ... on UserError {
        message
        path
      }
      ... on InvalidInput {
        issues {
          message
          path
        }
      }
    }
  }
`);

type Draft = { label: string; key: string; type: CustomFieldType; options: string };

const BLANK: Draft = { label: "", key: "", type: "TEXT" as CustomFieldType, options: "" };

/** The form for a new custom field. The key follows the label until somebody changes it. */
export function NewField() {
  const [draft, setDraft] = useState(BLANK);
  const [, define] = useMutation(DEFINE);

  async function save() {
    const options = draft.options.split(",").map((it) => it.trim()).filter(Boolean);
    const { label, key, type } = draft;
    const { data, error } = await define({ input: { label, key, type, options: options.length > 0 ? options : null } }, OF_FIELDS);
    const answer = data?.defineCustomField;
    if (answer?.__typename !== "CustomField") return refusedBy(answer, error);
    go(FIELDS);
    return null;
  }

  function relabel(label: string) {
    const follows = draft.key === keyOf(draft.label);
    setDraft({ ...draft, label, key: follows ? keyOf(label) : draft.key });
  }

  return (
    <SmallForm title="New custom field" save="Define the field" back={FIELDS} parts={["label", "key", "type", "options"]} onSave={save}>
      {(refused) => (
        <>
          <TextField label="Label" longest={200} example="Favourite colour" issues={refused("label")} value={draft.label} onChange={relabel} />
          <TextField
            label="Key"
            longest={63}
            help="The name in conditions and imports: lower-case letters, digits and underscores. It can never change."
            issues={refused("key")}
            value={draft.key}
            onChange={(key) => setDraft({ ...draft, key })}
          />
          <Field label="Type" issues={refused("type")}>
            {(control) => (
              <select {...control} value={draft.type} onChange={(event) => setDraft({ ...draft, type: event.target.value as CustomFieldType })}>
                {Object.entries(TYPES).map(([value, label]) => (
                  <option key={value} value={value}>
                    {label}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <TextField
            label="Values to offer"
            longest={10_000}
            example="red, green, blue"
            help="With commas between them. Other values are allowed, too."
            issues={refused("options")}
            value={draft.options}
            onChange={(options) => setDraft({ ...draft, options })}
          />
        </>
      )}
    </SmallForm>
  );
}

/** A key for a label: "Favourite colour" becomes "favourite_colour". */
function keyOf(label: string): string {
  const plain = label.normalize("NFKD").replaceAll(/\p{M}/gu, "").toLowerCase();
  return plain.replaceAll(/[^a-z0-9]+/g, "_").replaceAll(/^[^a-z]+|_+$/g, "").slice(0, 63);
}
