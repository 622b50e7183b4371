import { useLayoutEffect, useRef, useState } from "react";

/** The width of an element in pixels, also after it changes; 0 before it is known. */
export function useWidth<Shown extends Element>() {
  const element = useRef<Shown>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    if (element.current === null) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return [element, width] as const;
}
