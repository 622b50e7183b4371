import { useEffect, useRef } from "react";

import type { EditedAutomationFragment } from "../gql/graphql";
import { toAutomation } from "../paths";

type ReadOnlyProps = {
  automation: EditedAutomationFragment;
  /** Why the form cannot show it, as parts of a sentence. */
  reasons: readonly string[];
};

/** An automation that the form cannot show completely. To save a part of it would lose the rest. */
export function ReadOnly({ automation, reasons }: ReadOnlyProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <article className="automation-form">
      <h2 ref={heading} tabIndex={-1}>
        {automation.name}
      </h2>
      <p className="summary">{automation.summary}</p>
      <p className="warning">
        This form cannot edit the automation, because {reasons.join(", and ")}. Use the mutation{" "}
        <code>updateAutomation</code> of the API.
      </p>
      <p>
        <a href={toAutomation(automation.id)}>Back to its runs</a>
      </p>
    </article>
  );
}
