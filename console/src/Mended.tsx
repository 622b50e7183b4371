import { Component, useEffect, type ReactNode } from "react";

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
    return this.state.hasFailed ? <Failed /> : this.props.children;
  }
}

function Failed() {
  useEffect(loadAgainWhenServed, []);
  return (
    <div className="trouble" role="alert">
      <p>This part of the page could not be loaded. The server may have a new version.</p>
      <button type="button" onClick={() => location.reload()}>
        Load the page again
      </button>
    </div>
  );
}

/** Load the page again as soon as the server answers, but not over and over if that does not help. */
function loadAgainWhenServed(): () => void {
  const timer = setInterval(() => void look(), MILLISECONDS_BETWEEN_LOOKS);
  return () => clearInterval(timer);
}

async function look(): Promise<void> {
  const last = Number(sessionStorage.getItem(LOADED_AT) ?? 0);
  if (Date.now() - last < MILLISECONDS_BETWEEN_LOADS) return;
  try {
    await fetch(document.baseURI, { method: "HEAD", cache: "no-store" });
  } catch {
    return; // the server is away
  }
  sessionStorage.setItem(LOADED_AT, String(Date.now()));
  location.reload();
}
