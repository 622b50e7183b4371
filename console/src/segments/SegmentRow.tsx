import type { Tally } from "../changes/useChanges";
import type { SegmentState } from "../gql/graphql";
import { toSegment } from "../paths";
import { MovingNumber } from "./MovingNumber";
import { useLive } from "./updates";

type SegmentRowProps = {
  segment: { id: string; name: string; state: SegmentState; memberCount: number };
  people: number;
  tally: Tally | undefined;
  isOpen: boolean;
};

const STATES: Partial<Record<SegmentState, string>> = {
  COMPUTING: "being filled",
  FAILED: "failed",
  PAUSED: "paused",
};

/** A segment's name, its present size, its share of the audience, and how many entered and left since the page was opened. */
export function SegmentRow({ segment: read, people, tally, isOpen }: SegmentRowProps) {
  const segment = useLive(read);
  const share = people > 0 ? Math.min(1, segment.memberCount / people) : 0;
  return (
    <li>
      <a className="row" href={toSegment(segment.id)} aria-current={isOpen ? "page" : undefined}>
        <span className="name">{segment.name}</span>
        <MovingNumber value={segment.memberCount} />
        <span className="share" aria-hidden="true">
          <span style={{ transform: `scaleX(${share})` }} />
        </span>
        <span className="moved">
          {STATES[segment.state] && <em>{STATES[segment.state]} </em>}
          {tally && tally.entered > 0 && <Count of="entered" sign="+" number={tally.entered} />}
          {tally && tally.left > 0 && <Count of="left" sign="−" number={tally.left} />}
        </span>
      </a>
    </li>
  );
}

function Count({ of, sign, number }: { of: "entered" | "left"; sign: string; number: number }) {
  return (
    <span className={of}>
      <span aria-hidden="true">
        {sign}
        {number}
      </span>
      <span className="unseen">
        {number} {of}{" "}
      </span>
    </span>
  );
}
