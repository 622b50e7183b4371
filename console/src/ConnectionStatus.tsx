import { useEffect, useState } from "react";

import { useStatus, type Status } from "./api/status";

/** Whether the page is live, and if not, when it connects again. Screen readers hear changes only, not every second. */
export function ConnectionStatus() {
  const status = useStatus();
  const seconds = useSecondsUntil(status.phase === "away" ? status.retryAt : null);
  return (
    <p className={`status ${status.phase}`}>
      <span role="status">{SAID[status.phase]}</span>
      {seconds > 0 && <span aria-hidden="true">in {seconds} s</span>}
    </p>
  );
}

const SAID: Record<Status["phase"], string> = {
  connecting: "Connecting",
  live: "Live",
  away: "Reconnecting",
};

function useSecondsUntil(instant: number | null): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (instant === null) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [instant]);
  return instant === null ? 0 : Math.max(0, Math.ceil((instant - now) / 1000));
}
