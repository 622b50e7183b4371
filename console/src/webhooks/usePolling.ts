import { useEffect } from "react";
import type { UseQueryExecute } from "urql";

const PAUSE_MILLISECONDS = 3000;

/** Repeats a query every few seconds while the page can be seen, because the API tells no news about deliveries. */
export function usePolling(execute: UseQueryExecute): void {
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") execute({ requestPolicy: "network-only" });
    }, PAUSE_MILLISECONDS);
    return () => clearInterval(timer);
  }, [execute]);
}
