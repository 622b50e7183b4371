import { useId, useState, type FormEvent } from "react";

type DoorProps = { problem: string | null; onToken: (token: string) => void };

/** The form for the token, which is stored for this tab. */
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
        <h1>audience-gql console</h1>
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
          The demo prints its token in the terminal, and a link that needs none; <code>audience-gql sign-in</code> prints
          another link. This tab stores the token until you close the tab.
        </p>
      </form>
    </main>
  );
}
