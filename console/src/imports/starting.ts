/** Starting an import: tell the server how to read the file, then send the file. */

import { useMutation } from "urql";

import { graphql } from "../api/graphql";
import type { StartImportInput } from "../gql/graphql";

const START = graphql(`
  mutation StartImport($input: StartImportInput!) {
    startImport(input: $input) {
      __typename
      ... on StartImportPayload {
        uploadUrl
        import {
          id
        }
      }
      ... on UserError {
        message
      }
      ... on InvalidInput {
        issues {
          message
        }
      }
    }
  }
`);

type Started = { id: string; problem: null } | { id: null; problem: string };

/** `start` returns when the file has arrived. `onSent` is told the share of it that was sent, from 0 to 1. */
export function useStarting() {
  const [, start] = useMutation(START);
  return async (input: StartImportInput, file: File, onSent: (share: number) => void): Promise<Started> => {
    const { data, error } = await start({ input });
    const answer = data?.startImport;
    if (answer?.__typename === "InvalidInput") return refused(answer.issues.map((it) => it.message).join(" "));
    if (answer?.__typename !== "StartImportPayload")
      return refused(error?.graphQLErrors[0]?.message ?? "The API does not answer.");
    const problem = await send(file, answer.uploadUrl, onSent);
    if (problem !== null) return refused(problem);
    return { id: answer.import.id, problem: null };
  };
}

function refused(problem: string): Started {
  return { id: null, problem };
}

/** Null when the file has arrived, otherwise why it has not. fetch() cannot tell how much was sent. */
function send(file: File, url: string, onSent: (share: number) => void): Promise<string | null> {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("PUT", new URL(url.replace(/^\//, ""), document.baseURI));
    request.setRequestHeader("content-type", "text/csv");
    request.upload.onprogress = (event) => event.lengthComputable && onSent(event.loaded / event.total);
    request.onload = () => resolve(request.status === 202 ? null : whyNot(request));
    request.onerror = () => resolve("The file did not arrive. Try again.");
    request.send(file);
  });
}

function whyNot({ status, responseText }: XMLHttpRequest): string {
  try {
    const { error } = JSON.parse(responseText) as { error?: string };
    if (error) return `The file was refused: ${error}.`;
  } catch {
    // not from the API, but from something before it
  }
  return `The file was refused with the status ${status}.`;
}
