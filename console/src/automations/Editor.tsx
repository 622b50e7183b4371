import { useState } from "react";
import { useQuery } from "urql";

import { useAskedVocabulary, type Vocabulary } from "../builder/vocabulary";
import { graphql, withFragments } from "../api/graphql";
import type { EditedAutomationFragment } from "../gql/graphql";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { Form } from "./Form";
import { ReadOnly } from "./ReadOnly";
import { EDITED, reasonsAgainst } from "./simple";

const EDITED_AUTOMATION = withFragments(
  graphql(`
  query EditedAutomation($id: ID!) {
    automation(by: { id: $id }) {
      ...EditedAutomation
    }
  }
`),
  EDITED,
);

/** A new automation with one action. The API has more rules: several actions, conditions and causes. */
export function NewAutomation() {
  const { vocabulary, error, retry } = useAskedVocabulary();
  if (error && !vocabulary) return <Trouble error={error} onRetry={retry} />;
  if (!vocabulary) return <Loading />;
  return <Form vocabulary={vocabulary} edited={null} onTake={() => {}} />;
}

/** The form for an automation that exists, as it is when the page opens. */
export function EditAutomation({ id }: { id: string }) {
  const { vocabulary, error, retry } = useAskedVocabulary();
  const [asked, ask] = useQuery({ query: EDITED_AUTOMATION, variables: { id }, requestPolicy: "network-only" });

  useShown(EDITED_AUTOMATION, { id });

  const found = error ?? asked.error;
  if (found && !(vocabulary && asked.data))
    return (
      <Trouble
        error={found}
        onRetry={() => {
          retry();
          ask({ requestPolicy: "network-only" });
        }}
      />
    );
  if (!vocabulary || !asked.data) return <Loading />;
  if (!asked.data.automation)
    return <p className="empty">This automation does not exist, or no longer exists.</p>;
  return <Editing read={asked.data.automation} vocabulary={vocabulary} />;
}

type EditingProps = { read: EditedAutomationFragment; vocabulary: Vocabulary };

/** Keeps the automation as it was read first, because an answer that arrives later must not replace what the visitor types. */
function Editing({ read, vocabulary }: EditingProps) {
  const [edited, setEdited] = useState(read);
  const reasons = reasonsAgainst(edited, vocabulary);
  if (reasons.length > 0) return <ReadOnly automation={edited} reasons={reasons} />;
  return <Form key={edited.revision} vocabulary={vocabulary} edited={edited} onTake={setEdited} />;
}

function Loading() {
  return (
    <p className="empty" aria-busy="true">
      Loading the lists…
    </p>
  );
}
