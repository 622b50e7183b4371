import type { CombinedError } from "urql";

import { useRecovery } from "./api/useRecovery";

type Props = { error: CombinedError; /** Asks the query again. It changes nothing. */ onRetry: () => void };

/** What went wrong with a query, and a button to try again. If the API did not answer, the page tries again by itself. */
export function Trouble({ error, onRetry }: Props) {
  useRecovery(error, onRetry);
  return (
    <div className="trouble" role="alert">
      <p>{error.networkError ? "The API does not answer." : (error.graphQLErrors[0]?.message ?? error.message)}</p>
      <button type="button" onClick={onRetry}>
        Try again
      </button>
    </div>
  );
}
