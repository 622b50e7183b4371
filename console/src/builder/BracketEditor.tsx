import { useRef } from "react";

import { isBracket, newBracket, newLeaf, pathOf, type Bracket, type Draft, type Match } from "./draft";
import { LeafEditor } from "./LeafEditor";
import { within, type Issue } from "./usePreview";

type BracketEditorProps = {
  bracket: Bracket;
  onChange: (bracket: Bracket) => void;
  onRemove?: () => void;
  /** The problems that the API found, with their paths relative to this bracket. */
  issues: readonly Issue[];
  depth?: number;
};

const MATCHES: Record<Match, string> = { all: "all of these", any: "any of these", none: "none of these" };
const DEEPEST = 6;

/** Several conditions, of which all, any or none must hold. */
export function BracketEditor({ bracket, onChange, onRemove, issues, depth = 0 }: BracketEditorProps) {
  const add = useRef<HTMLButtonElement>(null);
  const name = depth === 0 ? "The segment" : `Bracket at level ${depth + 1}`;

  function replace(position: number, part: Draft) {
    onChange({ ...bracket, parts: bracket.parts.with(position, part) });
  }
  function remove(position: number) {
    onChange({ ...bracket, parts: bracket.parts.toSpliced(position, 1) });
    add.current?.focus(); // the element that had the focus is gone
  }
  const append = (part: Draft) => onChange({ ...bracket, parts: [...bracket.parts, part] });

  return (
    <fieldset className={`bracket ${bracket.match}`}>
      <legend className="unseen">{name}</legend>
      <div className="bracket-head">
        <span>{depth === 0 ? "People who match" : "who match"}</span>
        <select
          aria-label={`${name}: how many must hold`}
          value={bracket.match}
          onChange={(event) => onChange({ ...bracket, match: event.target.value as Match })}
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
        {bracket.parts.map((part, position) => {
          const its = { onRemove: () => remove(position), issues: within(issues, pathOf(bracket, position)) };
          return (
            <li key={part.key}>
              {isBracket(part) ? (
                <BracketEditor bracket={part} onChange={(next) => replace(position, next)} depth={depth + 1} {...its} />
              ) : (
                <LeafEditor leaf={part} onChange={(next) => replace(position, next)} {...its} />
              )}
            </li>
          );
        })}
      </ul>
      <div className="bracket-foot">
        <button ref={add} type="button" onClick={() => append(newLeaf())}>
          + Condition
        </button>
        {depth < DEEPEST && (
          <button type="button" onClick={() => append(newBracket(bracket.match === "all" ? "any" : "all", [newLeaf()]))}>
            + Bracket
          </button>
        )}
      </div>
    </fieldset>
  );
}
