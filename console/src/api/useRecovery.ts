import { useEffect, useRef } from "react";
import type { CombinedError } from "urql";

import { useStatus } from "./status";

const LEAST_MILLISECONDS = 3_000;
const MORE_MILLISECONDS = 3_000;

/** Repeat a query that found no API: every few seconds while somebody looks at the page, and at once when the network or the live connection is back. */
export function useRecovery(error: CombinedError, repeat: () => void): void {
  const isAway = error.networkError !== undefined;
  const { phase } = useStatus();
  const latest = useRef(repeat);
  const wasLive = useRef(phase === "live");
  useEffect(() => {
    latest.current = repeat;
  });

  useEffect(() => {
    if (!isAway) return;
    const again = () => document.visibilityState === "visible" && latest.current();
    // Pages that lost the same server must not all come back at the same instant.
    const timer = setInterval(again, LEAST_MILLISECONDS + Math.random() * MORE_MILLISECONDS);
    addEventListener("online", again);
    return () => {
      clearInterval(timer);
      removeEventListener("online", again);
    };
  }, [isAway]);

  useEffect(() => {
    if (isAway && phase === "live" && !wasLive.current) latest.current();
    wasLive.current = phase === "live";
  }, [isAway, phase]);
}
