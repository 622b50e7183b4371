import { addressOf, OPERATIONS } from "./operations";

/** The documented operations. Each has its own URL, which can be stored, shared, and opened in another window. */
export function OperationsMenu() {
  return (
    <details className="operations">
      <summary>Operations</summary>
      <ul>
        {OPERATIONS.map((operation) => (
          <li key={operation.name}>
            <a href={addressOf(operation)}>{operation.name}</a>
            <small>{operation.about}</small>
          </li>
        ))}
      </ul>
    </details>
  );
}
