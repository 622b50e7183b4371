import { useId } from "react";

import { dayBefore, defaultFrom, type Choice } from "./choice";

type ExperimentFormProps = {
  event: string;
  names: readonly string[];
  choice: Choice;
  onChange: (next: Choice) => void;
};

/** Which events count, in which period. Every change is at once in the address. */
export function ExperimentForm({ event, names, choice, onChange }: ExperimentFormProps) {
  const id = useId();
  const offered = names.includes(event) ? names : [event, ...names];
  return (
    <div className="experiment-form">
      <p>
        <label htmlFor={`${id}-event`}>Event</label>
        <select id={`${id}-event`} value={event} onChange={(it) => onChange({ ...choice, event: it.target.value })}>
          {offered.map((it) => (
            <option key={it}>{it}</option>
          ))}
        </select>
      </p>
      <p>
        <label htmlFor={`${id}-from`}>From</label>
        <input
          id={`${id}-from`}
          type="date"
          max={dayBefore(0)}
          value={choice.from ?? defaultFrom()}
          onChange={(it) => onChange({ ...choice, from: it.target.value || null })}
        />
      </p>
      <p>
        <label htmlFor={`${id}-until`}>Before (empty: up to now)</label>
        <input
          id={`${id}-until`}
          type="date"
          value={choice.until ?? ""}
          onChange={(it) => onChange({ ...choice, until: it.target.value || null })}
        />
      </p>
      <p>
        <label htmlFor={`${id}-within`}>Days after joining</label>
        <select
          id={`${id}-within`}
          value={choice.withinDays ?? ""}
          onChange={(it) => onChange({ ...choice, withinDays: Number(it.target.value) || null })}
        >
          <option value="">all</option>
          {withOwn([1, 3, 7, 14, 28, 60, 90], choice.withinDays).map((it) => (
            <option key={it} value={it}>
              {it}
            </option>
          ))}
        </select>
      </p>
    </div>
  );
}

/** A shared address may have a number that is not offered otherwise. */
function withOwn(offered: readonly number[], own: number | null): number[] {
  return [...new Set([...offered, ...(own === null ? [] : [own])])].sort((one, other) => one - other);
}
