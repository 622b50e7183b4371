import { useEffect, useRef } from "react";

/** A number that lights up for a moment when it grows or shrinks, unless the visitor prefers less motion (see the style). */
export function MovingNumber({ value }: { value: number }) {
  const shown = useRef<HTMLElement>(null);
  const last = useRef(value);

  useEffect(() => {
    const element = shown.current;
    if (element === null || last.current === value) return;
    element.classList.remove("grew", "shrank");
    void element.offsetWidth; // so that the animation begins anew
    element.classList.add(value > last.current ? "grew" : "shrank");
    last.current = value;
  }, [value]);

  return (
    <strong className="number" ref={shown}>
      {value.toLocaleString()}
    </strong>
  );
}
