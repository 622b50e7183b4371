import { useId } from "react";

import { ListLink } from "../ListLink";
import { textOf } from "../segments/Observed";
import { useRefetch } from "../segments/useRefetch";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { CAUSES, shownTime } from "../words";
import type { PersonChange } from "./usePersonChanges";
import { LATEST, TIMELINE, useTimeline, type Entry, type Happened, type Moved } from "./useTimeline";

type TimelineProps = { id: string; changes: readonly PersonChange[] };

/** What the person did, and which lists they entered and left. */
export function Timeline({ id, changes }: TimelineProps) {
  const { entries, hasEarlier, isRead, isReading, error, refresh, readEarlier } = useTimeline(id);
  useShown(TIMELINE, { id, ...LATEST });
  useRefetch(refresh, changes);
  const title = useId();
  return (
    <section aria-labelledby={title}>
      <h3 id={title}>Timeline</h3>
      {error && <Trouble error={error} onRetry={isRead ? readEarlier : refresh} />}
      {!isRead && !error && (
        <p className="empty" aria-busy="true">
          Loading the timeline…
        </p>
      )}
      {isRead && entries.length === 0 && <p className="empty">Nothing has happened yet.</p>}
      <ol className="timeline" aria-labelledby={title}>
        {entries.map((it) => (
          <Item key={it.kind === "event" ? it.event.id : it.change.id} entry={it} />
        ))}
      </ol>
      {hasEarlier && (
        <button type="button" aria-disabled={isReading} onClick={() => !isReading && readEarlier()}>
          Earlier
        </button>
      )}
    </section>
  );
}

function Item({ entry }: { entry: Entry }) {
  return entry.kind === "event" ? <EventItem event={entry.event} /> : <ChangeItem change={entry.change} />;
}

function EventItem({ event: { name, value, properties, occurredAt } }: { event: Happened }) {
  const given = Object.entries((properties ?? {}) as Record<string, unknown>);
  const known = given.map(([key, it]) => `${key}: ${textOf(it)}`);
  if (typeof value === "number") known.unshift(`value: ${value.toLocaleString()}`);
  return (
    <li>
      <time dateTime={occurredAt}>{shownTime(occurredAt)}</time>
      <span className="sign" aria-hidden="true">
        •
      </span>
      <p>
        <span className="who">{name}</span>
        {known.length > 0 && <span className="quiet"> {known.join(" · ")}</span>}
      </p>
    </li>
  );
}

function ChangeItem({ change: { kind, cause, segment, group, occurredAt } }: { change: Moved }) {
  const isEntry = kind === "ENTERED";
  return (
    <li>
      <time dateTime={occurredAt}>{shownTime(occurredAt)}</time>
      <span className={isEntry ? "sign entered" : "sign left"} aria-hidden="true">
        {isEntry ? "→" : "←"}
      </span>
      <p>
        {isEntry ? "entered" : "left"}{" "}
        <ListLink segment={segment} group={group} />
        <span className="quiet"> {CAUSES[cause]}</span>
      </p>
    </li>
  );
}
