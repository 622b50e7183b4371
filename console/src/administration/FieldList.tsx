import { useQuery } from "urql";

import { graphql, withFragments } from "../api/graphql";
import { DeleteButton } from "../DeleteButton";
import { USERS } from "../Refusal";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { Waiting } from "../Waiting";
import { shownTime } from "../words";
import { TYPES } from "./fieldTypes";
import { Administered } from "./Sections";

const FIELDS = graphql(`
  query Fields {
    customFields {
      id
      key
      label
      type
      options
      createdAt
    }
  }
`);
const DELETE = withFragments(
  graphql(`
  mutation DeleteCustomField($input: DeleteCustomFieldInput!) {
    deleteCustomField(input: $input) {
      __typename
      ... on UserError {
        message
      }
      ...Users
    }
  }
`),
  USERS,
);

export const OF_FIELDS = { additionalTypenames: ["CustomField"] };

/** The custom fields of the workspace. A token without ADMIN reads them, too. */
export function FieldList() {
  return (
    <Administered title="Custom fields" add={{ label: "New field", page: "new-field" }}>
      <Fields />
    </Administered>
  );
}

function Fields() {
  const [{ data, error }, retry] = useQuery({ query: FIELDS, requestPolicy: "cache-and-network", context: OF_FIELDS });
  useShown(FIELDS, {});

  if (error && !data) return <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />;
  if (!data) return <Waiting for="fields" />;
  if (data.customFields.length === 0) return <p className="empty">There are no custom fields yet. Define the first one.</p>;
  return (
    <ul className="cards" aria-label="Custom fields">
      {data.customFields.map(({ id, key, label, type, options, createdAt }) => (
        <li key={id}>
          <div className="entry-head">
            <strong>{label}</strong>
            <code className="quiet">{key}</code>
            <DeleteButton mutation={DELETE} type="CustomField" noun="field" id={id} name={label} isOneOfMany>
              <p>Everybody’s values of it are removed. Nobody can undo this.</p>
            </DeleteButton>
          </div>
          <p className="quiet">
            {TYPES[type]}
            {options && options.length > 0 && ` · offers ${options.join(", ")}`} · defined {shownTime(createdAt)}
          </p>
        </li>
      ))}
    </ul>
  );
}
