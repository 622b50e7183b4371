import { graphql } from "../api/graphql";
import type { WayStepFragment } from "../gql/graphql";

export const WAY_STEP = graphql(`
  fragment WayStep on AutomationLoopStep {
    automation {
      id
      name
    }
    segment {
      id
      name
    }
    group {
      id
      name
    }
  }
`);

/** The way on which the refused automation would start itself again, step by step. */
export function LoopWay({ way }: { way: readonly WayStepFragment[] }) {
  const names = way.map((it) => (it.automation ? `“${it.automation.name}”` : "this automation"));
  return (
    <ol className="way" aria-label="The way round">
      {way.map((step, index) => (
        <li key={index}>
          {names[index]} can change “{step.segment?.name ?? step.group?.name ?? "a deleted list"}”, which starts{" "}
          {names[(index + 1) % way.length]}
        </li>
      ))}
    </ol>
  );
}
