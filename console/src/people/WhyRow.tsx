import { useId, useState, type ReactNode } from "react";

import { toSegment } from "../paths";
import { Explanation } from "../segments/Explanation";

type WhyRowProps = {
  personId: string;
  segment: { id: string; name: string };
  /** Whether the person is a member. */
  isIn: boolean;
  /** The explanation is read again when it changes. */
  version: unknown;
  children: ReactNode;
};

/** A segment, and a button that shows why the person is in it, or why not. */
export function WhyRow({ personId, segment, isIn, version, children }: WhyRowProps) {
  const [isOpen, setIsOpen] = useState(false);
  const explanation = useId();
  const question = isIn ? "Why?" : "Why not?";
  return (
    <li>
      <div className="entry-head">
        <a href={toSegment(segment.id)}>{segment.name}</a>
        <span className="quiet">{children}</span>
        <button
          type="button"
          className="plain"
          aria-expanded={isOpen}
          aria-controls={explanation}
          aria-label={`${question} ${segment.name}`}
          onClick={() => setIsOpen(!isOpen)}
        >
          {question}
        </button>
      </div>
      {isOpen && (
        <div id={explanation} className="why">
          <Explanation segmentId={segment.id} subscriberId={personId} version={version} />
        </div>
      )}
    </li>
  );
}
