/** Suggestions for texts and ids: names from the workspace, and values from its people and events. */

import { useEffect, useState } from "react";
import { useClient } from "urql";

import { graphql } from "../api/graphql";
import type { ValueSource } from "../gql/graphql";
import { counted } from "../words";
import { useVocabulary, type Vocabulary } from "./vocabulary";

const SUGGESTIONS = graphql(`
  query Suggestions($of: ValueSource!, $search: String) {
    valueSuggestions(of: $of, search: $search, first: 8) {
      value
      people
    }
  }
`);

const PAUSE_MILLISECONDS = 200;

/** The position of a value: the kind of its leaf, the event or key that it belongs to, its input type, and its field. */
export type Place = { kind: string; event?: string; key?: string; shape: string; field: string };
export type Choice = { value: string; label: string };

/** Lists of which the visitor chooses some; null where they type a text. */
export function listsAt({ shape }: Place, { segments, groups }: Vocabulary) {
  return shape === "SegmentFilter" ? segments : shape === "GroupFilter" ? groups : null;
}

/** The suggestions for a typed text at a position. */
export function useChoices(place: Place, typed: string): Choice[] {
  const vocabulary = useVocabulary();
  const named = namesAt(place, vocabulary);
  const suggested = useSuggestions(named ? null : sourceAt(place), typed);
  return named?.map((value) => ({ value, label: value })) ?? suggested;
}

function namesAt({ shape, field, event }: Place, { events }: Vocabulary): string[] | null {
  const properties = events.find((it) => it.name === event)?.properties ?? [];
  if (shape === "PropertyFilter" && field === "key") return properties;
  if (shape === "EventTotalFilter" && field === "of") return ["value", ...properties];
  if (field === "sameProperty" || field === "perProperty") return event ? properties : propertiesOf(events);
  if (shape.startsWith("Event") && field === "name") return events.map((it) => it.name);
  return null;
}

/** The properties of all events, for a sequence, which has no name of its own. */
function propertiesOf(events: Vocabulary["events"]): string[] {
  return [...new Set(events.flatMap((it) => it.properties))].sort();
}

function sourceAt({ kind, event, key, shape }: Place): ValueSource | null {
  if (shape !== "TextFilter" && shape !== "ListFilter") return null;
  if (event) return key ? { property: { event, key } } : null;
  return key ? { field: key } : { profile: kind };
}

function useSuggestions(of: ValueSource | null, typed: string): Choice[] {
  const client = useClient();
  const [choices, setChoices] = useState<Choice[]>([]);
  const asked = JSON.stringify(of);

  useEffect(() => {
    const source = JSON.parse(asked) as ValueSource | null;
    if (source === null) return setChoices([]);
    let stop = () => {};
    const timer = setTimeout(() => {
      const answers = client.query(SUGGESTIONS, { of: source, search: typed || null });
      stop = answers.subscribe(({ data }) => {
        const found = data?.valueSuggestions ?? [];
        setChoices(
          found.map((it) => ({
            value: String(it.value),
            label: `${it.value}, ${counted(it.people, "person", "people")}`,
          })),
        );
      }).unsubscribe;
    }, PAUSE_MILLISECONDS);
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [client, asked, typed]);

  return choices;
}
