/** Everything that a condition can use: kinds, shapes, and the names in this workspace. */

import { createContext, useContext, useMemo } from "react";
import { useQuery, type CombinedError } from "urql";

import { graphql } from "../api/graphql";
import type { VocabularyQuery } from "../gql/graphql";
import { typeSpelled, type Shape, type Shapes } from "./shapes";

/** The input types of conditions, as the build read them from the schema. */
declare const __CONDITION_TYPES__: Shape[];
const SHAPES: Shapes = new Map(__CONDITION_TYPES__.map((it) => [it.name, it]));

const VOCABULARY = graphql(`
  query Vocabulary {
    conditionKinds {
      name
      label
      description
      category
      filter
      oneOf
      operators {
        name
        label
        description
        type
      }
    }
    eventNames {
      name
      properties
    }
    customFields {
      id
      key
      label
      type
    }
    groups(first: 100) {
      edges {
        node {
          id
          name
          memberCount
        }
      }
    }
    segments(first: 100) {
      edges {
        node {
          id
          name
          memberCount
        }
      }
    }
  }
`);

export type Kind = {
  name: string;
  label: string;
  description: string;
  category: string;
  shape: Shape & { kind: "input" };
};
type List = { id: string; name: string; memberCount: number };

export type Vocabulary = {
  kinds: ReadonlyMap<string, Kind>;
  shapes: Shapes;
  events: VocabularyQuery["eventNames"];
  fields: VocabularyQuery["customFields"];
  groups: List[];
  segments: List[];
};

const Context = createContext<Vocabulary | null>(null);
export const VocabularyProvider = Context.Provider;

export function useVocabulary(): Vocabulary {
  const vocabulary = useContext(Context);
  if (vocabulary === null) throw new Error("useVocabulary must be used inside a VocabularyProvider");
  return vocabulary;
}

type Asked = { vocabulary: Vocabulary | null; error: CombinedError | undefined; retry: () => void };

export function useAskedVocabulary(): Asked {
  const [{ data, error }, ask] = useQuery({ query: VOCABULARY, requestPolicy: "cache-and-network" });
  const vocabulary = useMemo(() => (data ? assembled(data) : null), [data]);
  return { vocabulary, error, retry: () => ask({ requestPolicy: "network-only" }) };
}

function assembled(words: VocabularyQuery): Vocabulary {
  // Combinators contain conditions. The builder shows them as brackets.
  const leaves = words.conditionKinds.filter((it) => !it.filter.includes("ConditionInput"));
  return {
    kinds: new Map(leaves.map((it) => [it.name, kindOf(it)])),
    shapes: new Map(SHAPES).set("ConditionInput", onlyLeaves(leaves)),
    events: words.eventNames,
    fields: words.customFields,
    groups: words.groups.edges.map((it) => it.node),
    segments: words.segments.edges.map((it) => it.node),
  };
}

/** The shape of a condition inside a filter: one of the leaves that contain no further condition. */
function onlyLeaves(leaves: VocabularyQuery["conditionKinds"]): Shape {
  const plain = leaves.filter((it) => !it.operators.some((operator) => operator.type.includes("ConditionInput")));
  const fields = plain.map(({ name, label, description, filter }) => ({
    name,
    label,
    description,
    type: typeSpelled(filter),
  }));
  return { kind: "input", name: "ConditionInput", oneOf: true, fields };
}

function kindOf(kind: VocabularyQuery["conditionKinds"][number]): Kind {
  const { name, label, description, category, filter, oneOf } = kind;
  const fields = kind.operators.map((it) => ({ ...it, type: typeSpelled(it.type) }));
  return {
    name,
    label,
    description,
    category: category ?? "ANYTHING",
    shape: { kind: "input", name: filter, oneOf, fields },
  };
}
