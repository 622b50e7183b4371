// As a front end would use what is generated: typed variables, typed results, and a condition that is read, changed and sent back.
import type { ResultOf, TypedDocumentNode, VariablesOf } from "@graphql-typed-document-node/core";
import { CreateSegmentDocument, EditSegmentDocument, ListenDocument, MembersDocument } from "./generated/graphql";

declare function run<Result, Variables>(document: TypedDocumentNode<Result, Variables>, variables: Variables): Promise<Result>;

export async function narrow(): Promise<string> {
  const { createSegment } = await run(CreateSegmentDocument, {
    input: {
      name: "Recent",
      condition: { all: [{ country: { is: "LT" } }, { event: { name: "opened", within: { last: { days: 30 } } } }] },
    },
  });
  if (createSegment.__typename !== "Segment") return createSegment.message;
  const { updateSegment } = await run(EditSegmentDocument, {
    input: {
      id: createSegment.id,
      condition: { any: [createSegment.condition, { not: createSegment.condition }] },
      ifRevision: createSegment.revision,
    },
  });
  return updateSegment.__typename === "Segment" ? updateSegment.name : updateSegment.message;
}

export async function addresses(segment: string): Promise<(string | null | undefined)[]> {
  const { segment: found } = await run(MembersDocument, { segment });
  return found?.members.edges.map((edge) => edge.node.email) ?? [];
}

export function resume(batch: ResultOf<typeof ListenDocument>): VariablesOf<typeof ListenDocument> {
  return { after: batch.membershipChanges.cursor };
}

// @ts-expect-error  a condition has exactly one key
export const twoKeys: VariablesOf<typeof CreateSegmentDocument> = { input: { name: "x", condition: { country: { is: "LT" }, city: { is: "Vilnius" } } } };
