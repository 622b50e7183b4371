import { useEffect, useRef } from "react";
import type { UseQueryExecute } from "urql";

const PAUSE_MILLISECONDS = 1000;

/** Read a query again when `version` is another one, at most once a second, and once more after the last. */
export function useRefetch(execute: UseQueryExecute, version: unknown): void {
  const seen = useRef(version);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);

  useEffect(() => {
    if (seen.current === version) return;
    seen.current = version;
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      execute({ requestPolicy: "network-only" });
    }, PAUSE_MILLISECONDS);
  }, [execute, version]);

  useEffect(() => () => clearTimeout(timer.current), []);
}
