/** What stands in the place of something that is being read. */
export function Waiting({ for: what }: { for: string }) {
  return (
    <p className="empty" aria-busy="true">
      Loading {what}…
    </p>
  );
}
