import { useEffect, useRef } from "react";

import { PastImports } from "./PastImports";
import { Wizard } from "./Wizard";

/** A new import, step by step, and all imports of the workspace. */
export function Imports() {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <article className="answers">
      <header className="titled">
        <h2 ref={heading} tabIndex={-1}>
          Import people
        </h2>
      </header>
      <Wizard />
      <section aria-labelledby="past-imports">
        <h3 id="past-imports">All imports</h3>
        <PastImports />
      </section>
    </article>
  );
}
