/** Whether the open page has changes that are not saved. Whoever leads the visitor away asks them first. */

import { useEffect } from "react";

const QUESTION = "Your changes are not saved. Leave this page and lose them?";

let isUnsaved = false;

/** Let the visitor be asked before they leave, while there are unsaved changes: for another page, for another site, or by signing out. */
export function useUnsaved(hasChanges: boolean): void {
  useEffect(() => {
    isUnsaved = hasChanges;
    if (!hasChanges) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => {
      isUnsaved = false;
      removeEventListener("beforeunload", ask);
    };
  }, [hasChanges]);
}

/** Whether leaving the page would lose changes. */
export function hasUnsaved(): boolean {
  return isUnsaved;
}

/** Whether nothing would be lost, or the visitor agrees that it is. */
export function mayLeave(): boolean {
  return !isUnsaved || confirm(QUESTION);
}

/** The changes are saved, so nobody needs to be asked. */
export function markSaved(): void {
  isUnsaved = false;
}
