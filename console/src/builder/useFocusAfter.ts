import { useEffect, useRef, type RefObject } from "react";

/** Moves the focus when its element disappears: to the first control within `place` that matches the selector after the change. */
export function useFocusAfter(place: RefObject<HTMLElement | null>): (selector: string) => void {
  const wanted = useRef<string | null>(null);
  useEffect(() => {
    if (wanted.current === null) return;
    place.current?.querySelector<HTMLElement>(wanted.current)?.focus();
    wanted.current = null;
  });
  return (selector) => (wanted.current = selector);
}
