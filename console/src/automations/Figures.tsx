import { useState } from "react";

import type { AutomationsQuery } from "../gql/graphql";

const DAY_MILLISECONDS = 86_400_000;
type Numbers = AutomationsQuery["automations"]["edges"][number]["node"]["figures"];

const WORDS: Record<keyof Numbers, string> = {
  done: "done",
  waiting: "waiting",
  cancelled: "cancelled",
  skipped: "skipped",
  failed: "failed",
  cutOff: "cut off",
};

/** What became of the runs of the last day. Only `done` is shown when it is 0. */
export function Figures({ figures }: { figures: Numbers }) {
  const shown = Object.entries(WORDS).map(([key, word]) => ({ word, number: figures[key as keyof Numbers] }));
  return (
    <ul className="figures" aria-label="Runs of the last day">
      {shown
        .filter(({ word, number }) => number > 0 || word === "done")
        .map(({ word, number }) => (
          <li key={word}>
            <strong className="number">{number.toLocaleString()}</strong> {word}
          </li>
        ))}
    </ul>
  );
}

/** An instant 24 hours before the component was shown first. */
export function useYesterday(): string {
  return useState(() => new Date(Date.now() - DAY_MILLISECONDS).toISOString())[0];
}
