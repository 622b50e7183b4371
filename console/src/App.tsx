import { useEffect, useState } from "react";
import { Provider } from "urql";

import { connect, type Connection } from "./api/connection";
import { Dashboard } from "./Dashboard";
import { Door } from "./Door";
import { exchange, forgetToken, keepToken, keptToken, takeCode } from "./session";

/** Signs in with a link, or with the form for the token, and then shows the workspace, until the visitor forgets the token or the API refuses it. */
export function App() {
  const [code, setCode] = useState(takeCode);
  const [token, setToken] = useState(keptToken);
  const [connection, setConnection] = useState<Connection | null>(null);
  const [problem, setProblem] = useState<string | null>(null);

  function leave(reason: string | null) {
    forgetToken();
    setProblem(reason);
    setToken(null);
  }

  useEffect(() => {
    if (code === null) return;
    exchange(code)
      .then(setToken)
      .catch((error: Error) => leave(`You are not signed in: ${error.message}.`))
      .finally(() => setCode(null));
  }, [code]);

  useEffect(() => {
    if (token === null || code !== null) return;
    keepToken(token);
    const opened = connect(token, () => leave("This token opens nothing here. It may belong to another server, or be revoked."));
    setConnection(opened);
    return () => {
      setConnection(null);
      opened.close();
    };
  }, [token, code]);

  if (code !== null) return <p className="empty centred">Signing in…</p>;
  if (token === null) return <Door problem={problem} onToken={setToken} />;
  if (connection === null) return null;
  return (
    <Provider value={connection.client}>
      <Dashboard onLeave={() => leave(null)} />
    </Provider>
  );
}
