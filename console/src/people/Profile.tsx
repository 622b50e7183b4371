import { useId } from "react";

import { textOf } from "../segments/Observed";
import { shownTime } from "../words";
import { placeOf } from "./names";
import type { Person } from "./PersonView";

/** The person's keys, profile and custom fields. Values that are not known are left out. */
export function Profile({ person }: { person: Person }) {
  return (
    <>
      <Values title="Profile" values={profileOf(person)} />
      {person.fields.length > 0 && (
        <Values title="Custom fields" values={person.fields.map((it) => [it.definition.label, textOf(it.value)])} />
      )}
    </>
  );
}

type Value = [label: string, text: string];

function Values({ title, values }: { title: string; values: Value[] }) {
  const id = useId();
  return (
    <section aria-labelledby={id}>
      <h3 id={id}>{title}</h3>
      <dl className="values">
        {values.map(([label, text]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function profileOf(person: Person): Value[] {
  const { latitude, longitude } = person;
  const values: [string, string | null | undefined][] = [
    ["Email", person.email],
    ["Phone", person.phone],
    ["External id", person.externalId],
    ["Place", placeOf(person)],
    ["Postal code", person.postalCode],
    ["Coordinates", typeof latitude === "number" ? `${latitude}, ${longitude}` : null],
    ["Language", person.language],
    ["Time zone", person.timezone],
    ["Birthday", person.birthday],
    ["Created", shownTime(person.createdAt)],
    ["Profile changed", shownTime(person.updatedAt)],
    ["Id", person.id],
  ];
  return values.filter((it): it is Value => Boolean(it[1]));
}
