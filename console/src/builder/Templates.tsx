import { useState } from "react";
import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import type { Edited } from "./address";
import { draftOf } from "./draft";
import type { Fields } from "./values";

const TEMPLATES = graphql(`
  query Templates {
    segmentTemplates {
      key
      category
      name
      description
      condition
    }
  }
`);

const QUESTION = "The template replaces what is in the form. Go on?";

type TemplatesProps = { hasChanges: boolean; onChoose: (edited: Edited) => void };

/** Common conditions by subject. Choosing one fills the form. */
export function Templates({ hasChanges, onChoose }: TemplatesProps) {
  const [{ data, error }, retry] = useQuery({ query: TEMPLATES });
  const [hint, setHint] = useState<string | null>(null);
  useShown(TEMPLATES, {});

  function choose({ name, description, condition }: { name: string; description: string; condition: unknown }) {
    if (hasChanges && !confirm(QUESTION)) return;
    onChoose({ name, description: "", bracket: draftOf(condition as Fields) });
    setHint(`${name}: ${description}`);
  }

  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  return (
    <section className="templates" aria-label="Templates" aria-busy={!data}>
      <h3>Start from a template, or from nothing</h3>
      <dl>
        {[...Map.groupBy(data?.segmentTemplates ?? [], (it) => it.category)].map(([category, those]) => (
          <div key={category}>
            <dt>{category.charAt(0) + category.slice(1).toLowerCase()}</dt>
            <dd>
              {those.map((it) => (
                <button key={it.key} type="button" title={it.description} onClick={() => choose(it)}>
                  {it.name}
                </button>
              ))}
            </dd>
          </div>
        ))}
      </dl>
      <p className="quiet" role="status">
        {hint}
      </p>
    </section>
  );
}
