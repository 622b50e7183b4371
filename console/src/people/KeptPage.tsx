import type { ReactNode } from "react";
import type { CombinedError, UseQueryExecute } from "urql";

import { More, type OnMore } from "../lists/Growing";
import { Trouble } from "../Trouble";
import { Waiting } from "../Waiting";
import { useKept } from "./useKept";

type Page<Edge> = { edges: readonly Edge[]; pageInfo: { hasNextPage: boolean; endCursor?: string | null } };

type KeptPageProps<Edge> = {
  /** What the list contains, such as "groups". */
  of: string;
  page: Page<Edge> | undefined;
  error: CombinedError | undefined;
  retry: UseQueryExecute;
  onMore: OnMore;
  /** What is shown instead of an empty list. */
  none: string;
  children: (edge: Edge, isGone: boolean) => ReactNode;
};

const NONE: readonly never[] = [];

/** A page of the lists that a person is in. An entry that is gone meanwhile stays in its place until the page is opened again. */
export function KeptPage<Edge extends { node: { id: string } }>(props: KeptPageProps<Edge>) {
  const { of, page, error, retry, onMore, none, children } = props;
  const kept = useKept<Edge>(page?.edges ?? NONE, (it) => it.node.id);

  if (error && !page) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!page) return <Waiting for={of} />;
  if (kept.length === 0) return <p className="empty">{none}</p>;
  return (
    <>
      <ul className="entries">{kept.map(({ entry, isGone }) => children(entry, isGone))}</ul>
      <More of={of} onMore={onMore} info={page.pageInfo} />
    </>
  );
}

/** Since when the person is in a list, or that they left it. */
export function Since({ instant, shown, isGone }: { instant: string; shown: string; isGone: boolean }) {
  if (isGone) return <em className="gone">left meanwhile</em>;
  return (
    <>
      since <time dateTime={instant}>{shown}</time>
    </>
  );
}
