import { useId, useState } from "react";

import { toPerson } from "../paths";
import { shownTime } from "../words";
import { Explanation } from "./Explanation";

export type Member = {
  id: string;
  email?: string | null;
  externalId?: string | null;
  firstName?: string | null;
  lastName?: string | null;
};
type MemberRowProps = { segmentId: string; person: Member; enteredAt: string | undefined; isPast: boolean };

/** One member. A button loads the reason why they are one. */
export function MemberRow({ segmentId, enteredAt, person, isPast }: MemberRowProps) {
  const [isOpen, setIsOpen] = useState(false);
  const explanation = useId();
  const name = [person.firstName, person.lastName].filter(Boolean).join(" ");
  const shown = name || person.email || person.externalId || person.id;
  return (
    <>
      <tr>
        <th scope="row">
          <a href={toPerson(person.id)}>{shown}</a>
          {name && <span className="quiet"> {person.email}</span>}
        </th>
        <td className="code">{person.externalId ?? "–"}</td>
        {enteredAt !== undefined && (
          <td>
            <time dateTime={enteredAt}>{shownTime(enteredAt)}</time>
          </td>
        )}
        {!isPast && (
          <td>
            <button
              type="button"
              className="plain"
              aria-expanded={isOpen}
              aria-controls={explanation}
              aria-label={`Why is ${shown} a member?`}
              onClick={() => setIsOpen(!isOpen)}
            >
              Why?
            </button>
          </td>
        )}
      </tr>
      {isOpen && (
        <tr id={explanation} className="explanation">
          <td colSpan={4}>
            <Explanation segmentId={segmentId} subscriberId={person.id} />
          </td>
        </tr>
      )}
    </>
  );
}
