import { useEffect, useRef } from "react";

/** A number that is highlighted briefly when it changes, unless the visitor prefers reduced motion (see the style). */
export function MovingNumber({ value }: { value: number }) {
  const shown = useRef<HTMLElement>(null);
  const last = useRef(value);

  useEffect(() => {
    const element = shown.current;
    if (element === null || last.current === value) return;
    element.classList.remove("grew", "shrank");
    void element.offsetWidth; // restarts the animation
    element.classList.add(value > last.current ? "grew" : "shrank");
    last.current = value;
  }, [value]);

  return (
    <strong className="number" ref={shown}>
      {value.toLocaleString()}
    </strong>
  );
}
