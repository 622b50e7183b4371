import { Fragment, useState, type ReactNode } from "react";

/** Shows the page that begins after this cursor, too; null if another page follows already. */
export type OnMore = ((end: string) => void) | null;

type GrowingProps = { children: (after: string | null, onMore: OnMore) => ReactNode };

/** A list whose pages stay one below the other. `children` shows the page that begins after a cursor. */
export function Growing({ children }: GrowingProps) {
  const [starts, setStarts] = useState<(string | null)[]>([null]);
  return starts.map((after, index) => (
    <Fragment key={after}>
      {children(after, index === starts.length - 1 ? (end) => setStarts([...starts, end]) : null)}
    </Fragment>
  ));
}

type MoreProps = { of: string; onMore: OnMore; info: { hasNextPage: boolean; endCursor?: string | null } };

/** The button for the next page, if there is one. */
export function More({ of, onMore, info: { hasNextPage, endCursor } }: MoreProps) {
  if (!onMore || !hasNextPage || !endCursor) return null;
  return (
    <button type="button" onClick={() => onMore(endCursor)}>
      More {of}
    </button>
  );
}
