import { toGroup, toSegment } from "./paths";

type Named = { id: string; name: string } | null | undefined;

/** The segment or group of a membership change. Both are null after the list was deleted. */
export function ListLink({ segment, group }: { segment: Named; group: Named }) {
  if (segment) return <a href={toSegment(segment.id)}>{segment.name}</a>;
  if (group) return <a href={toGroup(group.id)}>{group.name}</a>;
  return <em>a deleted list</em>;
}
