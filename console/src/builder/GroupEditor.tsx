import { useRef } from "react";

import { isGroup, newGroup, newLeaf, pathOf, type Draft, type Group, type Match } from "./draft";
import { LeafEditor } from "./LeafEditor";
import { within, type Issue } from "./usePreview";

type GroupEditorProps = {
  group: Group;
  onChange: (group: Group) => void;
  onRemove?: () => void;
  /** The problems that the API found, with their paths relative to this group. */
  issues: readonly Issue[];
  depth?: number;
};

const MATCHES: Record<Match, string> = { all: "all of these", any: "any of these", none: "none of these" };
const DEEPEST = 6;

/** Several conditions, of which all, any or none must hold. */
export function GroupEditor({ group, onChange, onRemove, issues, depth = 0 }: GroupEditorProps) {
  const add = useRef<HTMLButtonElement>(null);
  const name = depth === 0 ? "The segment" : `Group at level ${depth + 1}`;

  function replace(position: number, part: Draft) {
    onChange({ ...group, parts: group.parts.with(position, part) });
  }
  function remove(position: number) {
    onChange({ ...group, parts: group.parts.toSpliced(position, 1) });
    add.current?.focus(); // the element that had the focus is gone
  }
  const append = (part: Draft) => onChange({ ...group, parts: [...group.parts, part] });

  return (
    <fieldset className={`group ${group.match}`}>
      <legend className="unseen">{name}</legend>
      <div className="group-head">
        <span>{depth === 0 ? "People who match" : "who match"}</span>
        <select
          aria-label={`${name}: how many must hold`}
          value={group.match}
          onChange={(event) => onChange({ ...group, match: event.target.value as Match })}
        >
          {Object.entries(MATCHES).map(([match, words]) => (
            <option key={match} value={match}>
              {words}
            </option>
          ))}
        </select>
        {onRemove && (
          <button type="button" className="plain remove" aria-label={`Remove ${name.toLowerCase()}`} onClick={onRemove}>
            ×
          </button>
        )}
      </div>
      <ul>
        {group.parts.map((part, position) => {
          const its = { onRemove: () => remove(position), issues: within(issues, pathOf(group, position)) };
          return (
            <li key={part.key}>
              {isGroup(part) ? (
                <GroupEditor group={part} onChange={(next) => replace(position, next)} depth={depth + 1} {...its} />
              ) : (
                <LeafEditor leaf={part} onChange={(next) => replace(position, next)} {...its} />
              )}
            </li>
          );
        })}
      </ul>
      <div className="group-foot">
        <button ref={add} type="button" onClick={() => append(newLeaf())}>
          + Condition
        </button>
        {depth < DEEPEST && (
          <button type="button" onClick={() => append(newGroup(group.match === "all" ? "any" : "all", [newLeaf()]))}>
            + Group
          </button>
        )}
      </div>
    </fieldset>
  );
}
