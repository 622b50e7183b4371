import { useId, useState, type FormEvent } from "react";

type DoorProps = { problem: string | null; onToken: (token: string) => void };

/** Asks for the token, once for this tab. */
export function Door({ problem, onToken }: DoorProps) {
  const [typed, setTyped] = useState("");
  const field = useId();

  function enter(event: FormEvent) {
    event.preventDefault();
    const token = typed.trim().replace(/^Bearer\s+/i, "");
    if (token) onToken(token);
  }

  return (
    <main className="door">
      <form onSubmit={enter}>
        <h1>Live dashboard</h1>
        <p className="lead">Who is in which audience, as it happens.</p>
        <label htmlFor={field}>API token</label>
        <input
          id={field}
          type="password"
          autoComplete="off"
          autoFocus
          spellCheck={false}
          placeholder="agq_…"
          value={typed}
          aria-describedby={`${field}-help`}
          onChange={(event) => setTyped(event.target.value)}
        />
        <p className="problem" role="alert">
          {problem}
        </p>
        <button className="primary" type="submit">
          Open
        </button>
        <p id={`${field}-help`} className="quiet">
          The demo shows it in its terminal. This tab keeps it until it is closed.
        </p>
      </form>
    </main>
  );
}
