import { useState, type FormEvent } from "react";

type DoorProps = {
  isWaiting: boolean;
  problem: string | null;
  onToken: (token: string) => void;
};

/** The form for the token. It sends the token to the API in a header, and nowhere else. */
export function Door({ isWaiting, problem, onToken }: DoorProps) {
  const [typed, setTyped] = useState("");

  function enter(event: FormEvent) {
    event.preventDefault();
    const token = typed.trim().replace(/^Bearer\s+/i, "");
    if (token) onToken(token);
  }

  return (
    <main className="door">
      <form onSubmit={enter}>
        <h1>audience-gql playground</h1>
        <label htmlFor="token">API token</label>
        <input
          id="token"
          type="password"
          autoComplete="off"
          autoFocus
          spellCheck={false}
          placeholder="agq_…"
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
        <button type="submit" disabled={isWaiting}>
          {isWaiting ? "Opening…" : "Open"}
        </button>
        <p role="alert">{problem}</p>
        <p>
          The demo prints its token in the terminal, and writes it to{" "}
          <code>connection.env</code>. For a deployment, create one with{" "}
          <code>audience-gql token create</code>. This tab stores the token until
          you close it, or choose “Forget token”.
        </p>
      </form>
    </main>
  );
}
