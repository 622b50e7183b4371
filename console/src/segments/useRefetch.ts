import { useEffect, useRef } from "react";
import type { UseQueryExecute } from "urql";

const PAUSE_MILLISECONDS = 1000;

/** Repeats a query when `version` changes: at most once per second, and once after the last change. */
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
