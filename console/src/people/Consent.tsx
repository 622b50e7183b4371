import { useEffect, useId, useRef, useState, type FormEvent } from "react";
import { useMutation } from "urql";

import { graphql } from "../api/graphql";
import { Field } from "../automations/Field";
import { problemOf } from "../automations/saving";
import { within, type Issue } from "../builder/usePreview";
import type { Channel, ChannelStatus } from "../gql/graphql";
import { shownTime } from "../words";
import { CHANNELS, STATUSES } from "./names";
import type { Person } from "./PersonView";

const SET_STATUS = graphql(`
  mutation SetStatus($input: SetChannelStatusInput!) {
    setChannelStatus(input: $input) {
      __typename
      ... on Subscriber {
        id
        channels {
          channel
          status
        }
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

type ConsentProps = { id: string; channels: Person["channels"] };

/** What the person agreed to on each channel, and a form to change it. */
export function Consent({ id, channels }: ConsentProps) {
  const [open, setOpen] = useState<Channel | null>(null);
  const title = useId();
  return (
    <section aria-labelledby={title}>
      <h3 id={title}>Consent</h3>
      <ul className="entries">
        {(Object.keys(CHANNELS) as Channel[]).map((channel) => (
          <ChannelRow
            key={channel}
            id={id}
            channel={channel}
            state={channels.find((it) => it.channel === channel)}
            isOpen={open === channel}
            onToggle={() => setOpen(open === channel ? null : channel)}
          />
        ))}
      </ul>
    </section>
  );
}

type ChannelRowProps = {
  id: string;
  channel: Channel;
  state: Person["channels"][number] | undefined;
  isOpen: boolean;
  onToggle: () => void;
};

function ChannelRow({ id, channel, state, isOpen, onToggle }: ChannelRowProps) {
  const form = useId();
  const button = useRef<HTMLButtonElement>(null);

  function close() {
    onToggle();
    button.current?.focus();
  }

  return (
    <li>
      <div className="entry-head">
        <strong>{CHANNELS[channel]}</strong>
        <span className={state ? `consent ${state.status.toLowerCase()}` : "consent"}>
          {state ? STATUSES[state.status] : "not known"}
        </span>
        <span className="quiet">
          {state && `since ${shownTime(state.changedAt)}`}
          {state?.reason && `: ${state.reason}`}
        </span>
        <button
          ref={button}
          type="button"
          className="plain"
          aria-expanded={isOpen}
          aria-controls={form}
          aria-label={`Change the status of ${CHANNELS[channel]}`}
          onClick={onToggle}
        >
          Change
        </button>
      </div>
      {isOpen && <StatusForm formId={form} id={id} channel={channel} present={state?.status} onDone={close} />}
    </li>
  );
}

type StatusFormProps = {
  formId: string;
  id: string;
  channel: Channel;
  present: ChannelStatus | undefined;
  onDone: () => void;
};

function StatusForm({ formId, id, channel, present, onDone }: StatusFormProps) {
  const [status, setStatus] = useState<ChannelStatus>(present ?? ("ACTIVE" as ChannelStatus));
  const [reason, setReason] = useState("");
  const [issues, setIssues] = useState<readonly Issue[]>([]);
  const [problem, setProblem] = useState<string | null>(null);
  const [{ fetching }, set] = useMutation(SET_STATUS);
  const form = useRef<HTMLFormElement>(null);

  useEffect(() => form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus(), [issues]);

  async function submit(event: FormEvent) {
    event.preventDefault();
    const given = { subscriber: { id }, channel, status, reason: reason.trim() || null };
    const { data, error } = await set({ input: given });
    const answer = data?.setChannelStatus;
    if (answer?.__typename === "Subscriber") return onDone();
    const found = answer?.__typename === "InvalidInput" ? answer.issues : answer ? [answer] : [];
    setIssues(found.map(({ message, path }) => ({ message, path: path.slice(1) })));
    setProblem(problemOf(error));
  }

  return (
    <form ref={form} id={formId} className="automation-form" noValidate onSubmit={(event) => void submit(event)}>
      <Field label="Status" issues={within(issues, ["status"])}>
        {(control) => (
          <select {...control} autoFocus value={status} onChange={(event) => setStatus(event.target.value as ChannelStatus)}>
            {Object.entries(STATUSES).map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label="Reason" issues={within(issues, ["reason"])}>
        {(control) => (
          <input
            {...control}
            type="text"
            maxLength={1000}
            placeholder="Required to end a refusal"
            value={reason}
            onChange={(event) => setReason(event.target.value)}
          />
        )}
      </Field>
      <div className="save">
        <button type="submit" className="primary" disabled={fetching}>
          Set the status
        </button>
        <button type="button" onClick={onDone}>
          Cancel
        </button>
        <p className="problem" role="alert">
          {problem ?? elsewhere(issues)}
        </p>
      </div>
    </form>
  );
}

function elsewhere(issues: readonly Issue[]): string {
  const others = issues.filter((it) => !["status", "reason"].includes(it.path[0] ?? ""));
  return others.map((it) => it.message).join("; ");
}
