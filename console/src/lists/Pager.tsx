import { useState } from "react";

export type Pages = {
  /** The cursor at which the open page begins; null for the first page. */
  after: string | null;
  number: number;
  /** Whether nothing comes before the open page. */
  isFirst: boolean;
  turnTo: (end: string) => void;
  turnBack: () => void;
};

/** The pages of a list that somebody turns, with the cursors for the way back. Another list begins with its first page. */
export function usePages(list: string): Pages {
  const [kept, setKept] = useState<{ list: string; starts: (string | null)[] }>({ list, starts: [null] });
  const starts = kept.list === list ? kept.starts : [null];
  return {
    after: starts.at(-1) ?? null,
    number: starts.length,
    isFirst: starts.length === 1,
    turnTo: (end) => setKept({ list, starts: [...starts, end] }),
    turnBack: () => setKept({ list, starts: starts.slice(0, -1) }),
  };
}

type PagerProps = {
  pages: Pages;
  info: { hasNextPage: boolean; endCursor?: string | null };
  isReading: boolean;
};

/** The buttons below a page. They are not `disabled`, because a button that has the focus and becomes disabled loses it. */
export function Pager({ pages, info: { hasNextPage, endCursor }, isReading }: PagerProps) {
  return (
    <div className="pages">
      <button type="button" aria-disabled={pages.isFirst} onClick={() => !pages.isFirst && pages.turnBack()}>
        Previous
      </button>
      <span className="quiet" role="status">
        Page {pages.number}
        {isReading && ", loading"}
      </span>
      <button
        type="button"
        aria-disabled={!hasNextPage}
        onClick={() => hasNextPage && endCursor && pages.turnTo(endCursor)}
      >
        Next
      </button>
    </div>
  );
}
