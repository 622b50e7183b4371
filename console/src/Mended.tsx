import { Component, useEffect, type ReactNode } from "react";

import { useOutdated } from "./outdated";
import { hasUnsaved } from "./unsaved";

const MILLISECONDS_BETWEEN_LOOKS = 2_000;
const MILLISECONDS_BETWEEN_LOADS = 60_000;
const LOADED_AT = "audience-gql.loaded-again-at";

/** Shows a way on when a part of the page fails, for example because its file belongs to an older version of the server. */
export class Mended extends Component<{ children: ReactNode }, { hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError() {
    return { hasFailed: true };
  }

  override render() {
    return this.state.hasFailed ? <Failed>This part of the page could not be loaded. The server may have a new version.</Failed> : this.props.children;
  }
}

/** A way on when the server does not know what this page sends. What the visitor is editing stays where it is. */
export function Outdated() {
  return useOutdated() && <Failed>The server has another version of this page.</Failed>;
}

function Failed({ children }: { children: string }) {
  useEffect(loadAgainWhenServed, []);
  return (
    <div className="trouble" role="alert">
      <p>{children}</p>
      <button type="button" onClick={() => location.reload()}>
        Load the page again
      </button>
    </div>
  );
}

/** Load the page again as soon as the server answers and nothing would be lost, but not over and over if that does not help. */
function loadAgainWhenServed(): () => void {
  const timer = setInterval(() => void look(), MILLISECONDS_BETWEEN_LOOKS);
  return () => clearInterval(timer);
}

async function look(): Promise<void> {
  const last = Number(sessionStorage.getItem(LOADED_AT) ?? 0);
  if (hasUnsaved() || Date.now() - last < MILLISECONDS_BETWEEN_LOADS) return;
  try {
    await fetch(document.baseURI, { method: "HEAD", cache: "no-store" });
  } catch {
    return; // the server is away
  }
  sessionStorage.setItem(LOADED_AT, String(Date.now()));
  location.reload();
}
