import { gql, useQuery, useSubscription } from "urql";

type Segment = { id: string; name: string; memberCount: number };

const SEGMENTS = gql<{ segments: { edges: { node: Segment }[] } }, object>(`
  query Segments {
    segments(first: 50, orderBy: SIZE_DESC) {
      edges { node { id name memberCount } }
    }
  }
`);
const UPDATES = gql<{ segmentUpdates: Segment }, { ids: string[] }>(`
  subscription SegmentUpdates($ids: [ID!]!) {
    segmentUpdates(ids: $ids) { id name memberCount }
  }
`);

/** The largest segments, with sizes that move. A subscription begins with the present state, so nothing is missed after a lost socket. */
export function Segments() {
  const [{ data, error }] = useQuery({ query: SEGMENTS, variables: {} });
  const segments = data?.segments.edges.map((edge) => edge.node) ?? [];
  const [{ data: latest = {} }] = useSubscription(
    { query: UPDATES, variables: { ids: segments.map((it) => it.id) }, pause: segments.length === 0 },
    (heard: Record<string, Segment> = {}, { segmentUpdates: it }) => ({ ...heard, [it.id]: it }),
  );

  if (error) return <p role="alert">{error.message}</p>;
  if (!data) return <p>Loading…</p>;
  if (segments.length === 0) return <p>There are no segments yet.</p>;
  return (
    <table>
      <caption>Segments</caption>
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">Members</th>
        </tr>
      </thead>
      <tbody>
        {segments.map((segment) => {
          const { id, name, memberCount } = latest[segment.id] ?? segment;
          return (
            <tr key={id}>
              <th scope="row">{name}</th>
              <td>{memberCount.toLocaleString()}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
