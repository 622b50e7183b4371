import { lazy, Suspense, useEffect } from "react";

import { Changes } from "./changes/Changes";
import { useChanges, type Feed } from "./changes/useChanges";
import { ConnectionStatus } from "./ConnectionStatus";
import { Mended, Outdated } from "./Mended";
import { Navigation } from "./Navigation";
import { OpenAsGraphQL } from "./OpenAsGraphQL";
import { followLinks, go, HOME, NEW_SEGMENT, PEOPLE, useRoute, type Route } from "./paths";
import { SegmentList } from "./segments/SegmentList";
import { SEGMENTS } from "./segments/SegmentPage";
import { useShown } from "./shown";
import { useViewer } from "./viewer";
import { counted } from "./words";
import { mayLeave } from "./unsaved";

// Each part is loaded when it is opened first. The first page loads none of them.
const Builder = lazy(async () => ({ default: (await import("./builder/Builder")).Builder }));
const EditSegment = lazy(async () => ({ default: (await import("./builder/Builder")).EditSegment }));
const SegmentView = lazy(async () => ({ default: (await import("./segments/SegmentView")).SegmentView }));
const Leaving = lazy(async () => ({ default: (await import("./segments/Leaving")).Leaving }));
const AutomationList = lazy(async () => ({ default: (await import("./automations/AutomationList")).AutomationList }));
const AutomationView = lazy(async () => ({ default: (await import("./automations/AutomationView")).AutomationView }));
const NewAutomation = lazy(async () => ({ default: (await import("./automations/Editor")).NewAutomation }));
const Compare = lazy(async () => ({ default: (await import("./compare/Compare")).Compare }));
const AdviceList = lazy(async () => ({ default: (await import("./advice/AdviceList")).AdviceList }));
const Imports = lazy(async () => ({ default: (await import("./imports/Imports")).Imports }));
const Exports = lazy(async () => ({ default: (await import("./exports/Exports")).Exports }));
const ImportView = lazy(async () => ({ default: (await import("./imports/ImportView")).ImportView }));
const EditAutomation = lazy(async () => ({ default: (await import("./automations/Editor")).EditAutomation }));
const PeopleList = lazy(async () => ({ default: (await import("./people/PeopleList")).PeopleList }));
const PersonView = lazy(async () => ({ default: (await import("./people/PersonView")).PersonView }));
const NewPerson = lazy(async () => ({ default: (await import("./people/PersonEditor")).NewPerson }));
const GroupList = lazy(async () => ({ default: (await import("./groups/GroupList")).GroupList }));
const GroupView = lazy(async () => ({ default: (await import("./groups/GroupView")).GroupView }));
const NewGroup = lazy(async () => ({ default: (await import("./groups/GroupEditor")).NewGroup }));
const EditGroup = lazy(async () => ({ default: (await import("./groups/GroupEditor")).EditGroup }));
const Administration = lazy(async () => ({ default: (await import("./administration/Overview")).Overview }));
const TokenList = lazy(async () => ({ default: (await import("./administration/TokenList")).TokenList }));
const NewToken = lazy(async () => ({ default: (await import("./administration/NewToken")).NewToken }));
const FieldList = lazy(async () => ({ default: (await import("./administration/FieldList")).FieldList }));
const NewField = lazy(async () => ({ default: (await import("./administration/NewField")).NewField }));
const Trail = lazy(async () => ({ default: (await import("./administration/Trail")).Trail }));
const EndpointList = lazy(async () => ({ default: (await import("./webhooks/EndpointList")).EndpointList }));
const EndpointView = lazy(async () => ({ default: (await import("./webhooks/EndpointView")).EndpointView }));
const NewEndpoint = lazy(async () => ({ default: (await import("./webhooks/EndpointEditor")).NewEndpoint }));
const EditEndpoint = lazy(async () => ({ default: (await import("./webhooks/EndpointEditor")).EditEndpoint }));
const DeliveryView = lazy(async () => ({ default: (await import("./webhooks/DeliveryView")).DeliveryView }));
const EditPerson = lazy(async () => ({ default: (await import("./people/PersonEditor")).EditPerson }));

/** Pages that need the room of the list of changes. */
const WIDE: readonly Route["page"][] = ["new-segment", "edit-segment", "compare"];

/** Pages about one segment. */
const OF_SEGMENT: readonly Route["page"][] = ["segment", "edit-segment", "leaving", "export"];

/** Segments on the left, changes on the right, and between them what the address opens. */
export function Dashboard({ onLeave }: { onLeave: () => void }) {
  const { viewer } = useViewer();
  const route = useRoute();
  const feed = useChanges();
  const workspace = viewer?.workspace;

  useEffect(followLinks, []);
  useEffect(() => {
    document.title = `${workspace?.name ?? "Console"} · audience-gql`;
  }, [workspace?.name]);

  return (
    <>
      <a className="skip" href="#main" onClick={skipToMain}>
        Skip to the content
      </a>
      <header className="top">
        <a className="home" href={HOME} aria-label="Home">
          <Mark />
        </a>
        <h1>{workspace?.name ?? "Console"}</h1>
        {workspace && <p className="quiet">{counted(workspace.subscriberCount, "person", "people")}</p>}
        <ConnectionStatus />
        <Navigation route={route} onLeave={() => mayLeave() && onLeave()} />
      </header>
      <div className={route.page === "home" ? "columns" : "columns opened"}>
        <nav aria-labelledby="segments-heading">
          <header>
            <h2 id="segments-heading">Segments</h2>
            <a className="button" href={NEW_SEGMENT} aria-current={route.page === "new-segment" ? "page" : undefined}>
              New segment
            </a>
          </header>
          <SegmentList
            people={workspace?.subscriberCount ?? 0}
            tallies={feed.tallies}
            openId={OF_SEGMENT.includes(route.page) ? route.id : null}
          />
        </nav>
        <main id="main" tabIndex={-1}>
          <Outdated />
          <Mended key={`${route.page} ${route.id}`}>
            <Suspense fallback={<Loading />}>
              <Opened route={route} feed={feed} />
            </Suspense>
          </Mended>
          <OpenAsGraphQL />
        </main>
        {!WIDE.includes(route.page) && (
          <aside aria-labelledby="changes-heading">
            <Changes feed={feed} />
          </aside>
        )}
      </div>
    </>
  );
}

function Opened({ route: { page, id }, feed }: { route: Route; feed: Feed }) {
  switch (page) {
    case "new-segment":
      return <Builder />;
    case "segment":
      return <SegmentView id={id} tally={feed.tallies.get(id)} />;
    case "edit-segment":
      return <EditSegment id={id} />;
    case "leaving":
      return <Leaving id={id} />;
    case "automations":
      return <AutomationList />;
    case "automation":
      return <AutomationView id={id} />;
    case "edit-automation":
      return <EditAutomation id={id} />;
    case "new-automation":
      return <NewAutomation />;
    case "compare":
      return <Compare />;
    case "imports":
      return <Imports />;
    case "export":
      return <Exports key={id} segmentId={id} />;
    case "import":
      return <ImportView id={id} />;
    case "advice":
      return <AdviceList />;
    case "people":
      return <PeopleList />;
    case "person":
      return <PersonView id={id} cursor={feed.cursor} />;
    case "edit-person":
      return <EditPerson id={id} />;
    case "new-person":
      return <NewPerson />;
    case "groups":
      return <GroupList />;
    case "group":
      return <GroupView id={id} tally={feed.tallies.get(id)} />;
    case "edit-group":
      return <EditGroup id={id} />;
    case "new-group":
      return <NewGroup />;
    case "administration":
      return <Administration />;
    case "endpoints":
      return <EndpointList />;
    case "endpoint":
      return <EndpointView id={id} />;
    case "edit-endpoint":
      return <EditEndpoint id={id} />;
    case "new-endpoint":
      return <NewEndpoint />;
    case "delivery":
      return <DeliveryView id={id} />;
    case "tokens":
      return <TokenList />;
    case "new-token":
      return <NewToken />;
    case "fields":
      return <FieldList />;
    case "new-field":
      return <NewField />;
    case "trail":
      return <Trail />;
    default:
      return <Welcome />;
  }
}

function Loading() {
  return (
    <p className="empty" aria-busy="true">
      Loading…
    </p>
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
  useShown(SEGMENTS, { after: null });
  return (
    <div className="welcome">
      <h2>No segment is selected</h2>
      <p>
        Choose a segment to see its members, or <a href={NEW_SEGMENT}>define a new one</a>. While you type, you see the
        people whom it matches.
      </p>
      <form role="search" action={PEOPLE} onSubmit={findPeople}>
        <input type="search" name="search" aria-label="Find people" placeholder="Name, email or id" />
        <button type="submit">Find people</button>
      </form>
    </div>
  );
}

function findPeople(event: React.FormEvent<HTMLFormElement>) {
  event.preventDefault();
  const search = String(new FormData(event.currentTarget).get("search"));
  go(`${PEOPLE}?${new URLSearchParams({ search })}`);
}

/** The page's base is not its address, so this code moves the focus itself. */
function skipToMain(event: React.MouseEvent) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}
