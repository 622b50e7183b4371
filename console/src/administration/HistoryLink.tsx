import { toTrail } from "../paths";
import { isAdmin, useOwnToken } from "./access";

/** Leads to who changed an object, for those who may see it. */
export function HistoryLink({ id }: { id: string }) {
  const { token } = useOwnToken();
  if (!token || !isAdmin(token)) return null;
  return (
    <a className="button" href={toTrail(id)}>
      Who changed it
    </a>
  );
}
