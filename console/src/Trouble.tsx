import type { CombinedError } from "urql";

/** What went wrong, and a button to try again. */
export function Trouble({ error, onRetry }: { error: CombinedError; onRetry: () => void }) {
  return (
    <div className="trouble" role="alert">
      <p>{error.networkError ? "The API does not answer." : (error.graphQLErrors[0]?.message ?? error.message)}</p>
      <button type="button" onClick={onRetry}>
        Try again
      </button>
    </div>
  );
}
