import { useEffect, useRef } from "react";
import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { useChoice, withSegments } from "./choice";
import { Chosen } from "./Chosen";
import { Experiment } from "./Experiment";
import { Overlap } from "./Overlap";
import { Picker } from "./Picker";

const CHOSEN = graphql(`
  query Chosen($ids: [ID!]!) {
    nodes(ids: $ids) {
      __typename
      id
      ... on Segment {
        name
        memberCount
      }
    }
  }
`);

export type Side = { id: string; name: string; memberCount: number; isThere: boolean };

/** Whom several segments have in common, and what the people of two segments did. The choice is in the address. */
export function Compare() {
  const [choice, setChoice] = useChoice();
  const ids = [...choice.segmentIds];
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const [{ data, error, fetching }, retry] = useQuery({ query: CHOSEN, variables: { ids }, pause: ids.length === 0 });
  useShown(CHOSEN, ids.length > 0 ? { ids } : null);

  const sides = ids.map((id): Side => {
    const read = data?.nodes.find((it) => it?.id === id);
    if (read?.__typename !== "Segment") return { id, name: "…", memberCount: 0, isThere: false };
    return { id, name: read.name, memberCount: read.memberCount, isThere: true };
  });
  const isRead = data !== undefined && !fetching;
  const pick = (segmentIds: readonly string[]) => setChoice(withSegments(choice, segmentIds));
  return (
    <article className="answers">
      <header className="titled">
        <h2 ref={heading} tabIndex={-1}>
          Compare segments
        </h2>
      </header>
      <Picker chosen={ids} onChange={pick} />
      {ids.length > 0 && <Chosen sides={sides} isRead={isRead} onChange={pick} />}
      {error && <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />}
      {ids.length < 2 ? (
        <p className="empty">
          {ids.length === 0 ? "Choose two segments or more" : "Choose one more segment"} to see whom they have in common. Of
          exactly two, you also see how the people of each behaved.
        </p>
      ) : (
        sides.every((it) => it.isThere) && (
          <>
            {ids.length === 2 && <Experiment sides={sides} choice={choice} onChange={setChoice} />}
            <Overlap sides={sides} />
          </>
        )
      )}
    </article>
  );
}
