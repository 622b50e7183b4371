type LinesProps = {
  title: string;
  total: number;
  lines: readonly { id: string; line: number; message: string }[];
  isRead: boolean; // whether `lines` belong to `total`; otherwise they are being read
};

/** What the server said about single lines of the file. */
export function Lines({ title, total, lines, isRead }: LinesProps) {
  if (total === 0) return null;
  return (
    <section aria-label={title}>
      <h3>
        {title}: {total.toLocaleString()}
      </h3>
      {lines.length > 0 && (
        <div className="table tall" tabIndex={0} role="region" aria-label={`${title}, as a table`}>
          <table>
            <thead>
              <tr>
                <th scope="col">Line</th>
                <th scope="col" className="reason">Reason</th>
              </tr>
            </thead>
            <tbody>
              {lines.map(({ id, line, message }) => (
                <tr key={id}>
                  <th scope="row" className="number">
                    {line.toLocaleString()}
                  </th>
                  <td className="reason">{message}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {isRead && lines.length < total && (
        <p className="quiet">
          {lines.length === 0 ? "Their messages are no longer kept." : `The first ${lines.length} of ${total.toLocaleString()}.`}
        </p>
      )}
    </section>
  );
}
