import { useEffect, useRef, type RefObject } from "react";

/** Gives the focus to the first button of an element when `state` changes, if the button that had the focus is gone. */
export function useKeptFocus(state: unknown): RefObject<HTMLDivElement | null> {
  const buttons = useRef<HTMLDivElement>(null);
  const seen = useRef(state);
  useEffect(() => {
    if (seen.current === state) return;
    seen.current = state;
    if (document.activeElement === document.body) buttons.current?.querySelector("button")?.focus();
  }, [state]);
  return buttons;
}
