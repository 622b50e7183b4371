import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import type { ReactNode } from "react";
import { useMutation } from "urql";

import { problemOf } from "./automations/saving";
import { ConfirmButton } from "./ConfirmButton";
import type { UsersFragment } from "./gql/graphql";
import { go } from "./paths";
import { Refusal } from "./Refusal";

type Answer = { __typename: "DeletePayload" } | ({ message: string } & Partial<UsersFragment>);

type DeleteButtonProps = {
  /** The mutation, whose only field deletes the object. */
  mutation: TypedDocumentNode<Record<string, Answer>, { input: { id: string } }>;
  /** The type of the object in the schema. The answer does not name the object, so the cache would keep lists with it. */
  type: string;
  /** The object in words, such as "group". */
  noun: string;
  id: string;
  name: string;
  /** Whether the page has several of these buttons, so that screen readers need the name. */
  isOneOfMany?: boolean;
  /** Where the visitor goes on; this page if it is left out. */
  next?: string;
  /** What else happens if the visitor confirms. */
  children: ReactNode;
};

/** Deletes an object after a question in a dialog, and says what has to change first if the API refuses. */
export function DeleteButton({ mutation, type, noun, id, name, isOneOfMany, next, children }: DeleteButtonProps) {
  const [, remove] = useMutation(mutation);

  async function confirm() {
    const { data, error } = await remove({ input: { id } }, { additionalTypenames: [type] });
    const answer = data && Object.values(data)[0];
    if (answer === undefined) return problemOf(error);
    if ("message" in answer) return <Refusal answer={answer} />;
    if (next) go(next);
    return null;
  }

  return (
    <ConfirmButton
      label="Delete…"
      {...(isOneOfMany && { about: name })}
      question={`Delete the ${noun} “${name}”?`}
      keep="Keep it"
      confirm={`Delete the ${noun}`}
      onConfirm={confirm}
    >
      {children}
    </ConfirmButton>
  );
}
