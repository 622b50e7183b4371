import { useEffect, useRef, useState, type FormEvent } from "react";
import { useMutation } from "urql";

import { within, type Issue } from "../builder/usePreview";
import { useAskedVocabulary, type Vocabulary } from "../builder/vocabulary";
import { graphql } from "../gql";
import type { CreateAutomationMutation } from "../gql/graphql";
import { toAutomation } from "../route";
import { Trouble } from "../Trouble";
import { ActionFields } from "./ActionFields";
import { BLANK, inputOf, type Draft } from "./draft";
import { Field } from "./Field";
import { LoopWay } from "./LoopWay";
import { TriggerFields } from "./TriggerFields";

const CREATE_AUTOMATION = graphql(`
  mutation CreateAutomation($input: CreateAutomationInput!) {
    createAutomation(input: $input) {
      __typename
      ... on Automation {
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
      ... on AutomationLoop {
        way {
          automation {
            id
            name
          }
          segment {
            id
            name
          }
          group {
            id
            name
          }
        }
      }
    }
  }
`);

/** A new automation with one action. The API has more rules: several actions, conditions and causes. */
export function Editor() {
  const { vocabulary, error, retry } = useAskedVocabulary();
  if (error && !vocabulary) return <Trouble error={error} onRetry={retry} />;
  if (!vocabulary)
    return (
      <p className="empty" aria-busy="true">
        Loading the lists…
      </p>
    );
  return <Form vocabulary={vocabulary} />;
}

type Answer = CreateAutomationMutation["createAutomation"];

function Form({ vocabulary }: { vocabulary: Vocabulary }) {
  const [draft, setDraft] = useState<Draft>(BLANK);
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [{ fetching }, create] = useMutation(CREATE_AUTOMATION);
  const form = useRef<HTMLFormElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const issues = refusalsOf(answer);

  useEffect(() => heading.current?.focus(), []);
  useEffect(() => form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus(), [answer]);

  function change(changed: Partial<Draft>) {
    setDraft({ ...draft, ...changed });
    setAnswer(null);
    setProblem(null);
  }

  async function save(event: FormEvent) {
    event.preventDefault();
    const type = vocabulary.fields.find((it) => it.key === draft.field)?.type;
    const { data, error } = await create({ input: inputOf(draft, type) });
    if (data?.createAutomation.__typename === "Automation") location.hash = toAutomation(data.createAutomation.id);
    setAnswer(data?.createAutomation ?? null);
    setProblem(error ? (error.graphQLErrors[0]?.message ?? "The API does not answer.") : null);
  }

  const parts = { draft, onChange: change, vocabulary, issues };
  return (
    <form ref={form} className="automation-form" noValidate onSubmit={(event) => void save(event)}>
      <h2 ref={heading} tabIndex={-1}>
        New automation
      </h2>
      <TriggerFields {...parts} />
      <ActionFields {...parts} />
      {answer?.__typename === "AutomationLoop" && <LoopWay way={answer.way} />}
      <Check label="Only once for each person" isOn={draft.isOnce} onChange={(isOnce) => change({ isOnce })} />
      <Check
        label="Also for the people who are in it already"
        isOn={draft.isForExisting}
        onChange={(isForExisting) => change({ isForExisting })}
      />
      <Field label="Name" issues={within(issues, ["name"])}>
        {(control) => (
          <input
            {...control}
            type="text"
            maxLength={200}
            placeholder="Win back"
            value={draft.name}
            onChange={(event) => change({ name: event.target.value })}
          />
        )}
      </Field>
      <div className="save">
        <button type="submit" className="primary" disabled={fetching}>
          {fetching ? "Saving…" : "Save automation"}
        </button>
        <p className="problem" role="alert">
          {problem ?? elsewhere(issues)}
        </p>
      </div>
    </form>
  );
}

type CheckProps = { label: string; isOn: boolean; onChange: (isOn: boolean) => void };

function Check({ label, isOn, onChange }: CheckProps) {
  return (
    <label className="check">
      <input type="checkbox" checked={isOn} onChange={(event) => onChange(event.target.checked)} />
      {label}
    </label>
  );
}

/** What the API refused, with paths within the input. */
function refusalsOf(answer: Answer | null): Issue[] {
  if (answer === null || answer.__typename === "Automation") return [];
  const found = answer.__typename === "InvalidInput" ? answer.issues : [answer];
  return found.map(({ message, path }) => ({ message, path: path.slice(1) }));
}

const SHOWN_AT_FIELDS = ["on", "trigger", "holdFor", "actions", "name"];

/** The refusals that belong to no field of the form. */
function elsewhere(issues: readonly Issue[]): string {
  const others = issues.filter((it) => !SHOWN_AT_FIELDS.includes(it.path[0] ?? ""));
  return others.map((it) => it.message).join("; ");
}
