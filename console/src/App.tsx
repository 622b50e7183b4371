import { useEffect, useState } from "react";
import { Provider } from "urql";

import { connect, type Connection } from "./api/connection";
import { Dashboard } from "./Dashboard";
import { Door } from "./Door";
import { forgetToken, keepToken, keptToken } from "./session";

/** Shows the form for the token first, and then the workspace, until the visitor forgets the token or the API refuses it. */
export function App() {
  const [token, setToken] = useState(keptToken);
  const [connection, setConnection] = useState<Connection | null>(null);
  const [problem, setProblem] = useState<string | null>(null);

  function leave(reason: string | null) {
    forgetToken();
    setProblem(reason);
    setToken(null);
  }

  useEffect(() => {
    if (token === null) return;
    keepToken(token);
    const opened = connect(token, () => leave("This token opens nothing here. It may belong to another server, or be revoked."));
    setConnection(opened);
    return () => {
      setConnection(null);
      opened.close();
    };
  }, [token]);

  if (token === null) return <Door problem={problem} onToken={setToken} />;
  if (connection === null) return null;
  return (
    <Provider value={connection.client}>
      <Dashboard onLeave={() => leave(null)} />
    </Provider>
  );
}
