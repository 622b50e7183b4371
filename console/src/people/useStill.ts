/** Keeps what the visitor looks at where it is while news change the page. */

import { useEffect, useRef } from "react";

/** How long after the news their answers may arrive. */
const NEWS_MILLISECONDS = 5000;

type Place = { element: Element; top: number };

/**
 * After `news` changes, the element under the pointer, or the one with the focus if the keyboard was used last, stays at its place on the
 * screen: the page is scrolled by as much as the element moved. What the visitor does themselves moves the page as usual.
 */
export function useStill(news: unknown): void {
  const point = useRef<{ x: number; y: number } | null>(null);
  const isFirst = useRef(true);

  useEffect(() => {
    const move = (event: PointerEvent) => (point.current = { x: event.clientX, y: event.clientY });
    const press = () => (point.current = null);
    addEventListener("pointermove", move);
    addEventListener("keydown", press);
    return () => {
      removeEventListener("pointermove", move);
      removeEventListener("keydown", press);
    };
  }, []);

  useEffect(() => {
    if (isFirst.current) {
      isFirst.current = false;
      return;
    }
    const stop = holdStill(() => {
      const { x, y } = point.current ?? {};
      return x === undefined || y === undefined ? document.activeElement : document.elementFromPoint(x, y);
    });
    const timer = setTimeout(stop, NEWS_MILLISECONDS);
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [news]);
}

/** Observes the page's content until the returned function is called. */
function holdStill(look: () => Element | null): () => void {
  const main = document.querySelector("main");
  if (!main) return () => {};
  let place = placeOf(look());
  const see = () => (place = placeOf(look()));
  const observer = new MutationObserver(() => {
    // React has changed the page, and the browser has not painted it yet.
    if (place?.element.isConnected) scrollBy({ top: topOf(place.element) - place.top, behavior: "instant" });
    see();
  });
  const { style } = document.documentElement;
  style.overflowAnchor = "none"; // the browser's own way would scroll as well
  observer.observe(main, { childList: true, subtree: true, characterData: true });
  for (const name of MOVES) addEventListener(name, see, { passive: true });
  return () => {
    observer.disconnect();
    for (const name of MOVES) removeEventListener(name, see);
    style.overflowAnchor = "";
  };
}

/** After each of these, another element may be under the pointer. */
const MOVES = ["pointermove", "scroll", "focusin", "resize"];

function placeOf(element: Element | null): Place | null {
  return element && element.closest("main") ? { element, top: topOf(element) } : null;
}

function topOf(element: Element): number {
  return element.getBoundingClientRect().top;
}
