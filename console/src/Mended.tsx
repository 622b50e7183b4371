import { Component, type ReactNode } from "react";

/** Shows a way on when a part of the page fails, for example because its file belongs to an older version of the server. */
export class Mended extends Component<{ children: ReactNode }, { hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError() {
    return { hasFailed: true };
  }

  override render() {
    if (!this.state.hasFailed) return this.props.children;
    return (
      <div className="trouble" role="alert">
        <p>This part of the page could not be loaded. The server may have a new version.</p>
        <button type="button" onClick={() => location.reload()}>
          Load the page again
        </button>
      </div>
    );
  }
}
