import { addressOf, OPERATIONS } from "./operations";

/** The documented operations. Each is an address of its own, which can be kept, sent to others, and opened in a window beside. */
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
