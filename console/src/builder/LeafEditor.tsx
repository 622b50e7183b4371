import { useId } from "react";

import type { Leaf } from "./draft";
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
  const { kinds, shapes } = useVocabulary();
  const problems = useId();
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
    <div className="leaf" role="group" aria-label={label} aria-describedby={issues.length > 0 ? problems : undefined}>
      <select
        className="kind"
        aria-label="Kind of condition"
        title={kind?.description}
        autoFocus={!kind}
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
      {kind && (
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
      {issues.length > 0 && (
        <ul id={problems} className="problem">
          {issues.map((it) => (
            <li key={it.message}>{it.message}</li>
          ))}
        </ul>
      )}
    </div>
  );
}
