import { useState, type MouseEvent } from "react";

import { loadTexts, type Texts } from "./api/graphql";
import { PLAYGROUND } from "./paths";
import { playgroundWith, useAllShown } from "./shown";

/**
 * Opens what the page shows as operations in the playground, in the same tab, so that it is signed in, too. They do not run by themselves.
 * The page has no texts of its operations: it reads them when the pointer or the keyboard comes to the link.
 */
export function OpenAsGraphQL() {
  const operations = useAllShown();
  const [texts, setTexts] = useState<{ of: Texts } | null>(null);

  const read = async () => {
    const of = await loadTexts();
    setTexts({ of });
    return of;
  };
  const prepare = () => void (texts === null && read().catch(() => undefined));

  function open(event: MouseEvent) {
    if (texts !== null) return;
    event.preventDefault();
    read().then(
      (of) => location.assign(playgroundWith(operations, of)),
      () => location.assign(PLAYGROUND),
    );
  }

  if (operations.length === 0) return null;
  return (
    <p className="as-graphql">
      <a href={texts ? playgroundWith(operations, texts.of) : PLAYGROUND} onPointerEnter={prepare} onFocus={prepare} onClick={open}>
        Open as GraphQL
      </a>
    </p>
  );
}
