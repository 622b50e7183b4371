import { useEffect, useRef } from "react";

import { IMPORTS } from "../paths";
import { Progress } from "./Progress";

/** One import, while it runs and afterwards. */
export function ImportView({ id }: { id: string }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <article className="answers">
      <header className="titled">
        <h2 ref={heading} tabIndex={-1}>
          Import
        </h2>
        <a href={IMPORTS}>All imports</a>
      </header>
      <Progress key={id} id={id} isNamed />
    </article>
  );
}
