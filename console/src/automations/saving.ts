/** Saving an automation: a new one, or an edit that overwrites nobody else's. */

import { useMutation } from "urql";

import type { Issue } from "../builder/usePreview";
import { graphql, withFragments } from "../api/graphql";
import type {
  CreateAutomationMutation,
  CustomFieldType,
  EditedAutomationFragment,
  UpdateAutomationMutation,
} from "../gql/graphql";
import { editOf, inputOf, type Draft } from "./draft";
import { WAY_STEP } from "./LoopWay";
import { EDITED } from "./simple";

const CREATE_AUTOMATION = withFragments(
  graphql(`
  mutation CreateAutomation($input: CreateAutomationInput!) {
    createAutomation(input: $input) {
      __typename
      ... on Automation {
        id
      }
      ... on UserError {
        message
        path
      }
      ... on InvalidInput {
        issues {
          message
          path
        }
      }
      ... on AutomationLoop {
        way {
          ...WayStep
        }
      }
    }
  }
`),
  WAY_STEP,
);
const UPDATE_AUTOMATION = withFragments(
  graphql(`
  mutation UpdateAutomation($input: UpdateAutomationInput!) {
    updateAutomation(input: $input) {
      __typename
      ... on Automation {
        id
      }
      ... on UserError {
        message
        path
      }
      ... on InvalidInput {
        issues {
          message
          path
        }
      }
      ... on AutomationLoop {
        way {
          ...WayStep
        }
      }
      ... on AutomationConflict {
        current {
          ...EditedAutomation
        }
      }
    }
  }
`),
  WAY_STEP, EDITED,
);

export type Answer = CreateAutomationMutation["createAutomation"] | UpdateAutomationMutation["updateAutomation"];
type Saved = { answer: Answer | null; problem: string | null };

/** `save` creates an automation if `base` is null, and edits `base` otherwise. `problem` says why there is no answer. */
export function useSaving() {
  const [created, create] = useMutation(CREATE_AUTOMATION);
  const [updated, update] = useMutation(UPDATE_AUTOMATION);

  async function save(
    draft: Draft,
    type: CustomFieldType | undefined,
    base: EditedAutomationFragment | null,
  ): Promise<Saved> {
    if (base === null) {
      const { data, error } = await create({ input: inputOf(draft, type) });
      return { answer: data?.createAutomation ?? null, problem: problemOf(error) };
    }
    const { data, error } = await update({ input: editOf(draft, type, base) });
    return { answer: data?.updateAutomation ?? null, problem: problemOf(error) };
  }

  return { save, isSaving: created.fetching || updated.fetching };
}

export function problemOf(error: { graphQLErrors: readonly { message: string }[] } | undefined): string | null {
  return error ? (error.graphQLErrors[0]?.message ?? "The API does not answer.") : null;
}

/** What the API refused, with paths within the input. */
export function refusalsOf(answer: Answer | null): Issue[] {
  if (answer === null || answer.__typename === "Automation" || answer.__typename === "AutomationConflict") return [];
  const found = answer.__typename === "InvalidInput" ? answer.issues : [answer];
  return found.map(({ message, path }) => ({ message, path: path.slice(1) }));
}
