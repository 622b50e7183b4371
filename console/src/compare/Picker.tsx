import { useDeferredValue, useId, useState } from "react";
import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { MOST_SEGMENTS } from "./choice";

const PICKABLE = graphql(`
  query Pickable($search: String) {
    segments(first: 50, search: $search, orderBy: SIZE_DESC) {
      edges {
        node {
          id
          name
          memberCount
        }
      }
      pageInfo {
        hasNextPage
      }
    }
  }
`);

/** An empty list names no type, so that the cache would not know that the first segment belongs to it. */
const OF_SEGMENTS = { additionalTypenames: ["Segment"] };

type PickerProps = { chosen: readonly string[]; onChange: (chosen: readonly string[]) => void };

/** The largest segments, or those that are searched for, to tick. */
export function Picker({ chosen, onChange }: PickerProps) {
  const [typed, setTyped] = useState("");
  const search = useDeferredValue(typed.trim()) || null;
  const [{ data, error, fetching }, retry] = useQuery({ query: PICKABLE, variables: { search }, context: OF_SEGMENTS });
  useShown(PICKABLE, { search });
  const label = useId();
  const segments = data?.segments.edges.map((it) => it.node);
  const isFull = chosen.length >= MOST_SEGMENTS;

  return (
    <fieldset className="picker" aria-describedby={`${label}-rule`}>
      <legend>Segments</legend>
      <div className="picker-head">
        <label htmlFor={label} className="unseen">
          Search segments
        </label>
        <input
          id={label}
          type="search"
          placeholder="Search…"
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
        <p id={`${label}-rule`} className="quiet">
          {isFull ? "Eight are chosen; take one away to choose another." : `2 to ${MOST_SEGMENTS} segments; the largest come first.`}
        </p>
      </div>
      {error && !segments && <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />}
      {!segments && fetching && (
        <p className="empty" aria-busy="true">
          Loading segments…
        </p>
      )}
      {segments?.length === 0 && (
        <p className="empty">{search === null ? "There are no segments yet. Define two first." : "No segment has this name."}</p>
      )}
      <div className="ticks">
        {segments?.map(({ id, name, memberCount }) => {
          const isChosen = chosen.includes(id);
          return (
            <label key={id}>
              <input
                type="checkbox"
                checked={isChosen}
                disabled={isFull && !isChosen}
                onChange={() => onChange(isChosen ? chosen.filter((it) => it !== id) : [...chosen, id])}
              />
              <span className="tick-name">{name}</span> <span className="quiet number">{memberCount.toLocaleString()}</span>
            </label>
          );
        })}
      </div>
      {data?.segments.pageInfo.hasNextPage && <p className="quiet">There are more segments. Search for them by name.</p>}
    </fieldset>
  );
}
