import { ListLink } from "../ListLink";
import { toPerson } from "../paths";
import { CAUSES, shownTime } from "../words";
import type { Change } from "./useChanges";

/** Who entered or left which list, why, and when. */
export function ChangeItem({ change }: { change: Change }) {
  const { kind, cause, subscriber, segment, group, occurredAt } = change;
  const isEntry = kind === "ENTERED";
  return (
    <li className={isEntry ? "change entry" : "change exit"}>
      <span className={isEntry ? "sign entered" : "sign left"} aria-hidden="true">
        {isEntry ? "→" : "←"}
      </span>
      <p>
        {subscriber ? (
          <a className="who" href={toPerson(subscriber.id)}>
            {subscriber.email ?? subscriber.externalId ?? "Somebody"}
          </a>
        ) : (
          <span className="who">An erased person</span>
        )}{" "}
        {isEntry ? "entered" : "left"}{" "}
        <ListLink segment={segment} group={group} />
      </p>
      <p className="quiet">
        {CAUSES[cause]} · <time dateTime={occurredAt}>{shownTime(occurredAt)}</time>
      </p>
    </li>
  );
}
