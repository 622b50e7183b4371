import { useId, useState } from "react";
import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import type { ConditionInput } from "../gql/graphql";
import { toPerson } from "../paths";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import type { Fields, Value } from "./values";

const NEAR_MISSES = graphql(`
  query NearMisses($where: ConditionInput!) {
    subscribers(where: $where, first: 10) {
      edges {
        node {
          id
          email
          phone
          externalId
        }
      }
    }
  }
`);

type Node = { path: readonly string[]; nearMisses: number; nearMissesMargin: number };
type NearMissesProps = {
  node: Node;
  condition: ConditionInput;
  /** Whether the node keeps people out, so that they fail because of it. */
  isExcluding: boolean;
  /** The id of the element that says what the node is. */
  describedBy: string;
};

/** How many people would match the whole condition if this node had the opposite result. A button lists some of them. */
export function NearMisses({ node, condition, isExcluding, describedBy }: NearMissesProps) {
  const [isOpen, setIsOpen] = useState(false);
  const list = useId();
  const { nearMisses, nearMissesMargin, path } = node;
  if (nearMisses === 0) return null;
  const number = `${nearMisses.toLocaleString()}${nearMissesMargin > 0 ? ` ± ${nearMissesMargin.toLocaleString()}` : ""}`;
  const verb = isExcluding ? (nearMisses === 1 ? "fails" : "fail") : nearMisses === 1 ? "lacks" : "lack";
  return (
    <>
      <button
        type="button"
        className="plain near-misses"
        aria-expanded={isOpen}
        aria-controls={list}
        aria-describedby={describedBy}
        onClick={() => setIsOpen(!isOpen)}
      >
        {number} {verb} only {isExcluding ? "because of this" : "this"}
      </button>
      <div id={list}>{isOpen && <People where={nearMissesOf(condition, path)} />}</div>
    </>
  );
}

function People({ where }: { where: ConditionInput }) {
  const [{ data, error }, retry] = useQuery({ query: NEAR_MISSES, variables: { where }, requestPolicy: "network-only" });
  useShown(NEAR_MISSES, { where });
  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data) return <p aria-busy="true">Looking for them…</p>;
  const people = data.subscribers.edges.map((it) => it.node);
  if (people.length === 0) return <p>There is nobody any more.</p>;
  return (
    <ul className="sample">
      {people.map((it) => (
        <li key={it.id}>
          <a href={toPerson(it.id)} target="_blank" rel="noreferrer">
            {it.email ?? it.phone ?? it.externalId ?? it.id}
          </a>
        </li>
      ))}
    </ul>
  );
}

/** Who does not match the condition, and would if the node at the path had the opposite result. */
function nearMissesOf(condition: ConditionInput, path: readonly string[]): ConditionInput {
  const flipped = flippedAt(condition as unknown as Value, path);
  return { all: [{ not: condition }, flipped as unknown as ConditionInput] };
}

function flippedAt(node: Value, [step, ...rest]: readonly string[]): Value {
  if (step === undefined) return { not: node };
  if (Array.isArray(node)) return node.with(Number(step), flippedAt(node[Number(step)], rest));
  return { ...(node as Fields), [step]: flippedAt((node as Fields)[step], rest) };
}
