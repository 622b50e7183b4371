import { useState } from "react";

import type { Tallies } from "../changes/useChanges";
import { SegmentPage } from "./SegmentPage";

export type SegmentListProps = { people: number; tallies: Tallies; openId: string | null };

/** All segments, the largest first, page by page. */
export function SegmentList(props: SegmentListProps) {
  const [starts, setStarts] = useState<(string | null)[]>([null]);
  return (
    <>
      {starts.map((after, index) => (
        <SegmentPage
          key={after}
          {...props}
          after={after}
          onMore={index === starts.length - 1 ? (end) => setStarts([...starts, end]) : null}
        />
      ))}
    </>
  );
}
