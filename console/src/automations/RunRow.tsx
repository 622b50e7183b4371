import { toPerson } from "../paths";
import { RUN_STATES, shownTime } from "../words";
import type { Run } from "./run";

/** One run: for whom, what has become of it, and why it did not act. */
export function RunRow({ run }: { run: Run }) {
  const { state, reason, kind, startedAt, dueAt, endedAt, subscriber, subscriberId } = run;
  return (
    <tr>
      <th scope="row">
        {subscriber ? (
          <a href={toPerson(subscriber.id)}>{subscriber.email ?? subscriber.externalId ?? subscriber.id}</a>
        ) : (
          subscriberId
        )}
        <span className="quiet"> {kind === "ENTERED" ? "entered" : "left"}</span>
      </th>
      <td>
        <span className={`run ${state.toLowerCase()}`}>{RUN_STATES[state]}</span>
        {endedAt && shownTime(endedAt) !== shownTime(startedAt) && (
          <span className="quiet note">
            <time dateTime={endedAt}>{shownTime(endedAt)}</time>
          </span>
        )}
      </td>
      <td className="reason">{reason ?? (state === "WAITING" && dueAt ? `until ${shownTime(dueAt)}` : "–")}</td>
      <td>
        <time dateTime={startedAt}>{shownTime(startedAt)}</time>
      </td>
    </tr>
  );
}
