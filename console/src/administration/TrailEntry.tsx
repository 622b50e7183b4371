import { useId, useState } from "react";

import type { AuditActorKind, AuditTrailQuery } from "../gql/graphql";
import { toTrail } from "../paths";
import { shownTime, spelled } from "../words";
import { changeOf, differencesOf, OBJECTS } from "./trailWords";

type Entry = AuditTrailQuery["auditTrail"]["edges"][number]["node"];

const ACTORS: Record<AuditActorKind, string> = {
  TOKEN: "by an API token",
  COMMAND_LINE: "on the command line",
  SERVER: "by the server",
};

/** One change: who made it, when, and what it changed. `isAlone` says that only one object is shown. */
export function TrailEntry({ entry, isAlone }: { entry: Entry; isAlone: boolean }) {
  const { at, kind, actor, objectId, objectName, before, after } = entry;
  const { verb, object, isEnd = false } = changeOf(kind);
  const { one, address } = OBJECTS[object];
  const [isOpen, setIsOpen] = useState(false);
  const details = useId();
  const differences = differencesOf(before, after);
  const name = objectName ? `“${objectName}”` : objectId;
  return (
    <li>
      <div className="entry-head">
        <span className="told-change">
          <strong>{actor.name}</strong> {verb} {one} {address && !isEnd ? <a href={address(objectId)}>{name}</a> : name}
        </span>
        {differences.length > 0 && (
          <button
            type="button"
            className="plain"
            aria-expanded={isOpen}
            aria-controls={details}
            aria-label={`What changed in ${name}?`}
            onClick={() => setIsOpen(!isOpen)}
          >
            What changed?
          </button>
        )}
      </div>
      <p className="quiet">
        <time dateTime={at}>{shownTime(at)}</time>, {ACTORS[actor.kind]}
        {!isAlone && object !== "workspace" && (
          <>
            {" · "}
            <a href={toTrail(objectId)}>all changes of it</a>
          </>
        )}
      </p>
      {isOpen && (
        <dl id={details} className="differences">
          {differences.map((it) => (
            <div key={it.name}>
              <dt>{spelled(it.name)}</dt>
              {it.before !== null && (
                <dd className="left">
                  <span className="unseen">before: </span>
                  {it.before}
                </dd>
              )}
              {it.after !== null && (
                <dd className="entered">
                  <span className="unseen">after: </span>
                  {it.after}
                </dd>
              )}
            </div>
          ))}
        </dl>
      )}
    </li>
  );
}
