import type { Side } from "./Compare";
import { LETTERS } from "./choice";

type ChosenProps = { sides: readonly Side[]; isRead: boolean; onChange: (chosen: readonly string[]) => void };

/** The chosen segments with their letters, each with a button that takes it away. */
export function Chosen({ sides, isRead, onChange }: ChosenProps) {
  const ids = sides.map((it) => it.id);
  return (
    <ol className="chosen" aria-label="Chosen segments">
      {sides.map(({ id, name, memberCount, isThere }, index) => (
        <li key={id}>
          <b className="letter">{LETTERS[index]}</b>
          {isThere ? (
            <>
              <span className="tick-name">{name}</span> <span className="quiet number">{memberCount.toLocaleString()}</span>
            </>
          ) : (
            <span className="quiet">{isRead ? "does not exist" : "…"}</span>
          )}
          <button
            type="button"
            className="plain remove"
            aria-label={isThere ? `Take away ${name}` : `Take away segment ${LETTERS[index]}`}
            onClick={() => onChange(ids.filter((it) => it !== id))}
          >
            ×
          </button>
        </li>
      ))}
    </ol>
  );
}
