import { useId } from "react";

import { isSaid, isShown, type Leaf } from "./draft";
import { FilterEditor } from "./FilterEditor";
import type { Issue } from "./usePreview";
import { initialFields } from "./values";
import { useVocabulary, type Kind } from "./vocabulary";

type LeafEditorProps = {
  leaf: Leaf;
  onChange: (leaf: Leaf) => void;
  onRemove: () => void;
  issues: readonly Issue[];
};

/** One condition: its kind, and what it compares with. */
export function LeafEditor({ leaf, onChange, onRemove, issues }: LeafEditorProps) {
  const vocabulary = useVocabulary();
  const { kinds, shapes } = vocabulary;
  const problems = useId();
  const isWanting = !isSaid(leaf, vocabulary);
  const kind = kinds.get(leaf.kind);
  const label = kind?.label ?? "condition";

  function choose(name: string) {
    const chosen = kinds.get(name);
    if (!chosen) return;
    // Kinds with the same filter keep what was entered, for example from the city to the region.
    const filter = kind?.shape.name === chosen.shape.name ? leaf.filter : initialFields(chosen.shape, shapes);
    onChange({ ...leaf, kind: name, filter });
  }

  return (
    <div className={isWanting ? "leaf wanting" : "leaf"} role="group" aria-label={label} aria-describedby={problems}>
      <select
        className="kind"
        aria-label="Kind of condition"
        title={kind?.description}
        autoFocus={!kind}
        required
        value={leaf.kind}
        onChange={(event) => choose(event.target.value)}
      >
        {!kind && <option value="">choose…</option>}
        {[...Map.groupBy(kinds.values(), (it: Kind) => it.category)].map(([category, those]) => (
          <optgroup key={category} label={category.charAt(0) + category.slice(1).toLowerCase()}>
            {those.map((it) => (
              <option key={it.name} value={it.name}>
                {it.label}
              </option>
            ))}
          </optgroup>
        ))}
      </select>
      {kind && !isShown(leaf, vocabulary) && (
        <details className="kept-part">
          <summary>This form cannot show this part. It stays as it is.</summary>
          <pre>{JSON.stringify(leaf.filter, null, 2)}</pre>
        </details>
      )}
      {kind && isShown(leaf, vocabulary) && (
        <FilterEditor
          shape={kind.shape}
          fields={leaf.filter}
          onChange={(filter) => onChange({ ...leaf, filter })}
          scope={{ kind: kind.name }}
          label={label}
        />
      )}
      <button
        type="button"
        className="plain remove leaf-remove"
        aria-label={`Remove the condition: ${label}`}
        onClick={onRemove}
      >
        ×
      </button>
      <div id={problems} className="leaf-notes">
        {isWanting && <p className="wants">{kind ? "A value is missing." : "Choose what this is about."}</p>}
        {issues.length > 0 && (
          <ul className="problem">
            {issues.map((it) => (
              <li key={it.message}>{it.message}</li>
            ))}
          </ul>
        )}
      </div>
    </div>
  );
}
