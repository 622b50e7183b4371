import { MemberRow, type Member } from "./MemberRow";

type MemberTableProps = {
  segmentId: string;
  /** A search does not say when they entered. */
  members: readonly { enteredAt?: string; node: Member }[];
  /** Whether they were members at an earlier instant, so that there is nothing to explain now. */
  isPast: boolean;
};

export function MemberTable({ segmentId, members, isPast }: MemberTableProps) {
  const hasTimes = members.some((it) => it.enteredAt !== undefined);
  return (
    <div className="table folds">
      <table>
        <thead>
          <tr>
            <th scope="col">Person</th>
            <th scope="col">Customer</th>
            {hasTimes && <th scope="col">Member since</th>}
            {!isPast && (
              <th scope="col">
                <span className="unseen">Explanation</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {members.map(({ node, enteredAt }) => (
            <MemberRow key={node.id} segmentId={segmentId} person={node} enteredAt={enteredAt} isPast={isPast} />
          ))}
        </tbody>
      </table>
    </div>
  );
}
