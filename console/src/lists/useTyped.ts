import { useEffect, useRef, useState } from "react";

const PAUSE_MILLISECONDS = 250;

/** The text of a search field. `onPause` gets it when the visitor stops typing. Another address replaces it. */
export function useTyped(search: string, onPause: (text: string) => void) {
  const [typed, setTyped] = useState(search);
  const sent = useRef(search);
  const tell = useRef(onPause);
  tell.current = onPause;

  useEffect(() => {
    if (search !== sent.current) setTyped(search); // by a link or the back button
    sent.current = search;
  }, [search]);
  useEffect(() => {
    if (typed.trim() === sent.current) return;
    const timer = setTimeout(() => {
      sent.current = typed.trim();
      tell.current(typed);
    }, PAUSE_MILLISECONDS);
    return () => clearTimeout(timer);
  }, [typed]);
  return [typed, setTyped] as const;
}
