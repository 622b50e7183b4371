/** What somebody edits in the builder, kept in the address of the page. */

import { useEffect, useRef, useState } from "react";

import { keepInAddress } from "../paths";
import { useUnsaved } from "../unsaved";
import { addressOf, keptDraft, textOf, type Edited } from "./address";

const PAUSE_MILLISECONDS = 300;

type UsedEdited = {
  edited: Edited;
  change: (changed: Partial<Edited>) => void;
  hasChanges: boolean;
  /** The revision with which the edit began, which the address kept; null if it began now. */
  keptRevision: number | null;
  /** What the visitor should know about the address; null if there is nothing. */
  notice: string | null;
};

/** Begins with the draft of the address, otherwise with `start`. `revision` is that of the segment, null for a new one. */
export function useEdited(start: () => Edited, revision: number | null): UsedEdited {
  const [first] = useState(start);
  const [kept] = useState(keptDraft);
  const found = kept === "unreadable" ? null : kept;
  const [edited, setEdited] = useState<Edited>(found ?? first);
  const unchanged = useRef(textOf(first));
  const hasChanges = textOf(edited) !== unchanged.current;
  const since = found?.revision ?? revision;
  const address = hasChanges ? addressOf(edited, since) : "";
  useUnsaved(hasChanges);

  useEffect(() => {
    const timer = setTimeout(() => keepInAddress(address ?? ""), PAUSE_MILLISECONDS);
    return () => clearTimeout(timer);
  }, [address]);

  return {
    edited,
    change: (changed) => setEdited((it) => ({ ...it, ...changed })),
    hasChanges,
    keptRevision: found?.revision ?? null,
    notice: address === null ? TOO_LONG : kept === "unreadable" ? UNREADABLE : hasChanges ? SHARED : null,
  };
}

const TOO_LONG = "This draft is too long for the address of the page: it cannot be shared, and loading the page again loses it.";
const UNREADABLE = "The address has a draft that cannot be read. Part of it may be missing.";
const SHARED = "Not saved yet. The address of this page has your draft: you can share it or come back to it.";
