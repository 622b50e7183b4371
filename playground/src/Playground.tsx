import { useEffect, useMemo, useState } from "react";
import { GraphiQL } from "graphiql";

import { connect, Unauthenticated, type Connection } from "./connection";
import { Door } from "./Door";
import { EXAMPLES } from "./examples";
import { askedFor, forgetAddress } from "./operations";
import { OperationsMenu } from "./OperationsMenu";

/** Where the console keeps the token, too: for this tab, until the visitor or the API rejects it. It is never part of a URL. */
const TOKEN = "audience-gql:token";
const RETRY_MILLISECONDS = 2000;

/** Shows the form for the token until the API has accepted one; then GraphiQL with examples. */
export function Playground() {
  const [token, setToken] = useState(() => sessionStorage.getItem(TOKEN));
  const [connection, setConnection] = useState<Connection | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [attempt, setAttempt] = useState(0);

  function leave(reason: string | null) {
    sessionStorage.removeItem(TOKEN);
    setProblem(reason);
    setToken(null);
  }

  useEffect(() => {
    if (token === null) return;
    let isCurrent = true;
    let opened: Connection | null = null;
    let retry: number | undefined;
    connect(token, () => isCurrent && leave("This token is no longer good."))
      .then((made) => {
        opened = made;
        if (!isCurrent) return made.close();
        sessionStorage.setItem(TOKEN, token);
        setProblem(null);
        setConnection(made);
      })
      .catch((error: unknown) => {
        if (!isCurrent) return;
        const message = error instanceof Error ? error.message : String(error);
        if (error instanceof Unauthenticated) leave(message);
        else {
          setProblem(`The API does not answer (${message}); trying again.`);
          retry = setTimeout(() => setAttempt(attempt + 1), RETRY_MILLISECONDS);
        }
      });
    return () => {
      isCurrent = false;
      clearTimeout(retry);
      opened?.close();
      setConnection(null);
    };
  }, [token, attempt]);

  if (connection === null)
    return (
      <Door
        isWaiting={token !== null && problem === null}
        problem={problem}
        onToken={(given) => {
          setProblem(null);
          setToken(given);
        }}
      />
    );
  return <Editor connection={connection} onLeave={() => leave(null)} />;
}

type EditorProps = { connection: Connection; onLeave: () => void };

function Editor({ connection, onLeave }: EditorProps) {
  const { viewer, schema, fetcher } = connection;
  const asked = useMemo(() => askedFor(schema), [schema]);
  const tabs = useMemo(() => (asked ? [asked, ...EXAMPLES] : EXAMPLES), [asked]);
  useEffect(forgetAddress, []);
  return (
    <GraphiQL
      fetcher={fetcher}
      schema={schema}
      defaultTabs={tabs}
      initialQuery={asked?.query}
      initialVariables={asked?.variables}
      isHeadersEditorEnabled={false}
      showPersistHeadersSettings={false}
      defaultEditorToolsVisibility={asked?.variables ? "variables" : false}
    >
      <GraphiQL.Logo>
        <span className="place">
          <strong>{viewer.workspace.name}</strong>
          <small title={viewer.token.scopes.join(", ")}>
            token “{viewer.token.name}”
          </small>
          <a href="./">Console</a>
          <OperationsMenu />
          <button type="button" onClick={onLeave}>
            Forget token
          </button>
        </span>
      </GraphiQL.Logo>
    </GraphiQL>
  );
}
