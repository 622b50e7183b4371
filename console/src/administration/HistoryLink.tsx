import { toTrail } from "../paths";
import { isAdmin, useViewer } from "../viewer";

/** Leads to who changed an object, for those who may see it. */
export function HistoryLink({ id }: { id: string }) {
  const { viewer } = useViewer();
  if (!viewer || !isAdmin(viewer.token)) return null;
  return (
    <a className="button" href={toTrail(id)}>
      Who changed it
    </a>
  );
}
