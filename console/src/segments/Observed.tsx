import type { ReactNode } from "react";

import { toSegment } from "../paths";
import { counted, shownTime, spelled } from "../words";

/** The names of the segments that a condition reads, by id. */
export type Names = ReadonlyMap<string, string>;

type Facts = Record<string, unknown>;
type ObservedProps = { value: unknown; names: Names };

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d/;

/** The facts that decided a node: a value, events with their instants, or the lists that contain the person. */
export function Observed({ value, names }: ObservedProps) {
  if (value === null || value === undefined) return <p>There is no such fact.</p>;
  if (Array.isArray(value)) return <Entries entries={value} names={names} />;
  if (typeof value !== "object") return <p>The value is {textOf(value)}.</p>;
  const { count, newest, deciding, ...others } = value as Facts;
  return (
    <>
      {typeof count === "number" && <Events count={count} newest={instantsOf(newest)} deciding={instantsOf(deciding)} />}
      {Object.entries(others).map(([key, it]) => (
        <p key={key}>
          {LABELS[key] ?? spelled(key)}: {textOf(it)}
        </p>
      ))}
    </>
  );
}

const LABELS: Record<string, string> = {
  at: "the event happened",
  followedAt: "followed by the other event",
  changedAt: "since",
  steps: "the steps happened",
  most: "most with the same value",
};

/** The newest events, the deciding ones marked. An event that decides may be older than the newest ten. */
function Events({ count, newest, deciding }: { count: number; newest: string[]; deciding: string[] }) {
  if (count === 0) return <p>No such event.</p>;
  const shown = [...newest, ...deciding.filter((it) => !newest.includes(it))];
  const more = count - newest.length;
  return (
    <>
      <p>
        {counted(count, "event", "events")}
        {more > 0 ? `, the newest ${newest.length} of them` : ""}:
      </p>
      <ul className="instants">
        {shown.map((it, index) => (
          <li key={`${it} ${index}`}>
            <time dateTime={it}>{shownTime(it)}</time>
            {deciding.includes(it) && " – decides the next change"}
          </li>
        ))}
      </ul>
    </>
  );
}

function Entries({ entries, names }: { entries: unknown[]; names: Names }) {
  if (entries.length === 0) return <p>They are not in it.</p>;
  if (!entries.every((it) => typeof it === "object" && it !== null)) return <p>The values are {entries.map(textOf).join(", ")}.</p>;
  return (
    <ul className="instants">
      {(entries as Facts[]).map((it, index) => (
        <li key={index}>{listOf(it, names)}</li>
      ))}
    </ul>
  );
}

function listOf({ segment, enteredAt, joinedAt, at, matchesThen }: Facts, names: Names): ReactNode {
  const since = enteredAt ?? joinedAt;
  return (
    <>
      {typeof segment === "string" ? <a href={toSegment(segment)}>{names.get(segment) ?? "a segment"}</a> : "In the group"}
      {since !== undefined && ` since ${textOf(since)}`}
      {at !== undefined && `, and ${textOf(at)} they ${matchesThen ? "still match" : "do not match"}`}
    </>
  );
}

function instantsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

/** A value of a fact for people. */
export function textOf(value: unknown): string {
  if (value === null || value === undefined) return "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return value.toLocaleString();
  if (Array.isArray(value)) return value.map(textOf).join(", ");
  if (typeof value === "object") return JSON.stringify(value);
  const text = String(value);
  return INSTANT.test(text) ? shownTime(text) : text;
}
