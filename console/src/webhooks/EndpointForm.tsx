import { useState, type ReactNode } from "react";

import type { Refused } from "../forms/refusals";
import { SmallForm } from "../forms/SmallForm";
import { TextField } from "../forms/TextField";

export type Draft = { name: string; url: string };

type EndpointFormProps = {
  title: string;
  verb: string;
  back: string;
  start: Draft;
  onSave: (draft: Draft) => Promise<Refused | null>;
  /** What is shown below the fields. */
  below?: (draft: Draft) => ReactNode;
};

/** Keeps the draft that it begins with, because an answer that arrives later must not replace what the visitor types. */
export function EndpointForm({ title, verb, back, start, onSave, below }: EndpointFormProps) {
  const [draft, setDraft] = useState(start);
  return (
    <SmallForm title={title} save={verb} back={back} parts={["name", "url"]} onSave={() => onSave(draft)}>
      {(refused) => (
        <>
          <TextField
            label="Name"
            longest={200}
            example="CRM"
            issues={refused("name")}
            value={draft.name}
            onChange={(name) => setDraft({ ...draft, name })}
          />
          <TextField
            label="URL"
            longest={2000}
            example="https://crm.example/hooks"
            help="Where messages are sent. It begins with https://."
            issues={refused("url")}
            value={draft.url}
            onChange={(url) => setDraft({ ...draft, url })}
          />
          {below?.(draft)}
        </>
      )}
    </SmallForm>
  );
}
