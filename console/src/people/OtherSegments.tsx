import { useId, useRef, useState } from "react";
import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { useRefetch } from "../segments/useRefetch";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import type { PersonChange } from "./usePersonChanges";
import { WhyRow } from "./WhyRow";

const CHOICE = graphql(`
  query SegmentChoice($segmentSearch: String) {
    segments(search: $segmentSearch, first: 50) {
      edges {
        node {
          id
          name
        }
      }
      pageInfo {
        hasNextPage
      }
    }
  }
`);
const MEMBER_OF = graphql(`
  query MemberOf($id: ID!, $segmentIds: [ID!]!) {
    subscriber(by: { id: $id }) {
      id
      memberOf(segmentIds: $segmentIds)
    }
  }
`);

type OtherSegmentsProps = { id: string; changes: readonly PersonChange[] };

/** The segments that the person is not in, with a search, and why not. */
export function OtherSegments({ id, changes }: OtherSegmentsProps) {
  const [search, setSearch] = useState("");
  const title = useId();
  return (
    <section aria-labelledby={title}>
      <header className="titled">
        <h3 id={title}>Not in these segments</h3>
        <input
          type="search"
          aria-label="Search segments"
          placeholder="Find a segment"
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
      </header>
      <Choice id={id} search={search.trim()} changes={changes} />
    </section>
  );
}

function Choice({ id, search, changes }: OtherSegmentsProps & { search: string }) {
  const asked = { segmentSearch: search };
  const [{ data, error, stale, fetching }, retry] = useQuery({ query: CHOICE, variables: asked, requestPolicy: "cache-and-network" });
  useShown(CHOICE, asked);
  const last = useRef(data); // while somebody types, the last answer stays
  if (data) last.current = data;
  const shown = last.current;

  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!shown)
    return (
      <p className="empty" aria-busy="true">
        Loading segments…
      </p>
    );
  const segments = shown.segments.edges.map((it) => it.node);
  if (segments.length === 0)
    return (
      <p className="empty" role="status">
        {search === "" ? "There are no segments yet." : `No segment is called “${search}”.`}
      </p>
    );
  const isBusy = (fetching || stale) && !data;
  return (
    <div aria-busy={isBusy}>
      <Rows key={segments.map((it) => it.id).join()} id={id} segments={segments} changes={changes} />
      {shown.segments.pageInfo.hasNextPage && <p className="quiet">There are more. Search for a segment by its name.</p>}
    </div>
  );
}

type RowsProps = OtherSegmentsProps & { segments: readonly { id: string; name: string }[] };

/** A segment that the person enters meanwhile stays in its place. */
function Rows({ id, segments, changes }: RowsProps) {
  const variables = { id, segmentIds: segments.map((it) => it.id) };
  const [{ data, error }, retry] = useQuery({ query: MEMBER_OF, variables, requestPolicy: "network-only" });
  useShown(MEMBER_OF, variables);
  useRefetch(retry, changes);
  const first = useRef<ReadonlySet<string>>(null);
  const memberOf = data?.subscriber?.memberOf;
  if (memberOf) first.current ??= new Set(memberOf);

  if (error && !memberOf) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!memberOf)
    return (
      <p className="empty" aria-busy="true">
        Loading segments…
      </p>
    );
  const others = segments.filter((it) => !first.current?.has(it.id));
  if (others.length === 0) return <p className="empty">They are in all of these segments.</p>;
  return (
    <ul className="entries">
      {others.map((segment) => {
        const isIn = memberOf.includes(segment.id);
        return (
          <WhyRow key={segment.id} personId={id} segment={segment} isIn={isIn} version={changes}>
            {isIn && <em className="come">entered meanwhile</em>}
          </WhyRow>
        );
      })}
    </ul>
  );
}
