import { useEffect } from "react";
import { useQuery } from "urql";

import { graphql } from "./gql";
import { AutomationList } from "./automations/AutomationList";
import { AutomationView } from "./automations/AutomationView";
import { EditAutomation, NewAutomation } from "./automations/Editor";
import { Builder } from "./builder/Builder";
import { Changes } from "./changes/Changes";
import { useChanges } from "./changes/useChanges";
import { ConnectionStatus } from "./ConnectionStatus";
import { AUTOMATIONS, NEW, useRoute } from "./route";
import { SegmentList } from "./segments/SegmentList";
import { SegmentView } from "./segments/SegmentView";

const WORKSPACE = graphql(`
  query Workspace {
    viewer {
      workspace {
        id
        name
        subscriberCount
      }
    }
  }
`);

/** Segments on the left, changes on the right, and between them one segment, the automations, or the form for a new one. */
export function Dashboard({ onLeave }: { onLeave: () => void }) {
  const [{ data }] = useQuery({ query: WORKSPACE });
  const route = useRoute();
  const feed = useChanges();
  const workspace = data?.viewer.workspace;

  useEffect(() => {
    document.title = `${workspace?.name ?? "Live dashboard"} · audience-gql`;
  }, [workspace?.name]);

  return (
    <>
      <a className="skip" href="#main" onClick={skipToMain}>
        Skip to the content
      </a>
      <header className="top">
        <Mark />
        <h1>{workspace?.name ?? "Live dashboard"}</h1>
        {workspace && <p className="quiet">{workspace.subscriberCount.toLocaleString()} people</p>}
        <a href={AUTOMATIONS} aria-current={route.page === "automations" ? "page" : undefined}>
          Automations
        </a>
        <ConnectionStatus />
        <button type="button" className="plain" onClick={onLeave}>
          Forget token
        </button>
      </header>
      <div className="columns">
        <nav aria-labelledby="segments-heading">
          <header>
            <h2 id="segments-heading">Segments</h2>
            <a className="button" href={NEW} aria-current={route.page === "new" ? "page" : undefined}>
              New segment
            </a>
          </header>
          <SegmentList
            people={workspace?.subscriberCount ?? 0}
            tallies={feed.tallies}
            openId={route.page === "segment" ? route.id : null}
          />
        </nav>
        <main id="main" tabIndex={-1}>
          {route.page === "new" && <Builder />}
          {route.page === "segment" && <SegmentView key={route.id} id={route.id} tally={feed.tallies.get(route.id)} />}
          {route.page === "automations" && <AutomationList />}
          {route.page === "automation" && <AutomationView key={route.id} id={route.id} />}
          {route.page === "edit-automation" && <EditAutomation key={route.id} id={route.id} />}
          {route.page === "new-automation" && <NewAutomation />}
          {route.page === "home" && <Welcome />}
        </main>
        {route.page !== "new" && (
          <aside aria-labelledby="changes-heading">
            <Changes feed={feed} />
          </aside>
        )}
      </div>
    </>
  );
}

/** The logo: two audiences and the people in both. */
function Mark() {
  return (
    <svg className="mark" viewBox="0 0 32 20" width="32" height="20" aria-hidden="true">
      <circle cx="11" cy="10" r="9" />
      <circle cx="21" cy="10" r="9" />
    </svg>
  );
}

function Welcome() {
  return (
    <div className="welcome">
      <h2>No segment is selected</h2>
      <p>
        Choose a segment to see its members, or <a href={NEW}>define a new one</a>. While you type, you see the people
        whom it matches.
      </p>
    </div>
  );
}

/** The URL's hash holds the route, so this code moves the focus itself. */
function skipToMain(event: React.MouseEvent) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}
