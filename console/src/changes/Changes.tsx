import { useState } from "react";

import { Trouble } from "../Trouble";
import { ChangeItem } from "./ChangeItem";
import { Spoken } from "./Spoken";
import type { Feed } from "./useChanges";

/** The changes, the latest first. A button pauses the list so that it can be read. */
export function Changes({ feed }: { feed: Feed }) {
  const [held, setHeld] = useState<Feed | null>(null);
  const { changes } = held ?? feed;
  const position = feed.changes.findIndex((it) => it.id === changes[0]?.id);
  const waiting = position < 0 ? feed.changes.length : position;

  return (
    <>
      <header>
        <h2 id="changes-heading">Changes</h2>
        <button type="button" aria-pressed={held !== null} onClick={() => setHeld(held ? null : feed)}>
          {held ? `Go on${waiting > 0 ? ` (${waiting} new)` : ""}` : "Hold"}
        </button>
      </header>
      {feed.error && <Trouble error={feed.error} onRetry={() => location.reload()} />}
      {!feed.isUnbroken && (
        <p className="problem" role="alert">
          Something was missed: a batch did not continue the batch before it.
        </p>
      )}
      {changes.length === 0 && (
        <p className="empty">
          {feed.cursor === null
            ? "Waiting for the feed…"
            : "No changes yet. People who enter or leave a list appear here."}
        </p>
      )}
      <ol className="stream" tabIndex={0} aria-label="The latest changes">
        {changes.map((change) => (
          <ChangeItem key={change.id} change={change} />
        ))}
      </ol>
      <Spoken changes={feed.changes} />
    </>
  );
}
