import { useEffect, useRef, useState } from "react";

import { counted } from "../words";
import type { Change } from "./useChanges";

const EVERY_MILLISECONDS = 8000;

/** The changes for screen readers: a summary every few seconds, because a sentence per change would be too much. */
export function Spoken({ changes }: { changes: readonly Change[] }) {
  const [said, setSaid] = useState("");
  const latest = useRef(changes);
  latest.current = changes;

  useEffect(() => {
    let last: string | undefined;
    const timer = setInterval(() => {
      const position = latest.current.findIndex((it) => it.id === last);
      const fresh = position < 0 ? latest.current : latest.current.slice(0, position);
      last = latest.current[0]?.id;
      if (fresh.length > 0) setSaid(summedUp(fresh));
    }, EVERY_MILLISECONDS);
    return () => clearInterval(timer);
  }, []);

  return (
    <p className="unseen" aria-live="polite">
      {said}
    </p>
  );
}

function summedUp(changes: readonly Change[]): string {
  const lists = Object.groupBy(changes, (it) => it.segment?.name ?? it.group?.name ?? "a deleted list");
  return Object.entries(lists)
    .map(([name, those = []]) => {
      const entered = those.filter((it) => it.kind === "ENTERED").length;
      return `${name}: ${counted(entered, "entered", "entered")}, ${counted(those.length - entered, "left", "left")}`;
    })
    .join(". ");
}
