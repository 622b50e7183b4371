import { useMemo, useState, type FormEvent } from "react";
import { createRoot } from "react-dom/client";
import { Provider } from "urql";

import { connect } from "./connection";
import { Segments } from "./Segments";

/** Asks for a token, and keeps it for this tab. */
function App() {
  const [token, setToken] = useState(() => sessionStorage.getItem("token"));
  const client = useMemo(() => (token === null ? null : connect(token)), [token]);

  function enter(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const given = String(new FormData(event.currentTarget).get("token")).trim();
    sessionStorage.setItem("token", given);
    setToken(given);
  }

  if (client === null)
    return (
      <form onSubmit={enter}>
        <label>
          API token <input name="token" type="password" autoComplete="off" required />
        </label>
        <button type="submit">Open</button>
      </form>
    );
  return (
    <Provider value={client}>
      <Segments />
    </Provider>
  );
}

createRoot(document.getElementById("root")!).render(<App />);
