import type { CreateAutomationMutation } from "../gql/graphql";

type Loop = Extract<CreateAutomationMutation["createAutomation"], { __typename: "AutomationLoop" }>;

/** The way on which the refused automation would start itself again, step by step. */
export function LoopWay({ way }: { way: Loop["way"] }) {
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
