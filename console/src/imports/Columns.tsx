import type { Beginning } from "./csv";
import { CHANNEL_TARGETS, fieldTargets, PROFILE_TARGETS, type KnownField, type Target } from "./targets";

type ColumnsProps = {
  beginning: Beginning;
  targets: readonly string[];
  fields: readonly KnownField[];
  onChange: (targets: string[]) => void;
};

/** For each column of the file: its name, some of its values, and what it contains. */
export function Columns({ beginning: { headers, examples }, targets, fields, onChange }: ColumnsProps) {
  return (
    <div className="table">
      <table aria-label="Columns of the file">
        <thead>
          <tr>
            <th scope="col">Column</th>
            <th scope="col">Contains</th>
            <th scope="col" className="reason">For example</th>
          </tr>
        </thead>
        <tbody>
          {headers.map((header, index) => (
            <tr key={index}>
              <th scope="row">{header || <em>without a name</em>}</th>
              <td>
                <select
                  aria-label={`${header || `Column ${index + 1}`} contains`}
                  value={targets[index]}
                  disabled={header === ""}
                  onChange={(event) => onChange(targets.map((it, at) => (at === index ? event.target.value : it)))}
                >
                  <option value="">– leave out –</option>
                  <Options label="Profile" targets={PROFILE_TARGETS} />
                  <Options label="Custom fields" targets={fieldTargets(fields)} />
                  <Options label="Channels" targets={CHANNEL_TARGETS} />
                </select>
              </td>
              <td className="reason">{examples.flatMap((row) => row[index] || []).join(", ") || "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Options({ label, targets }: { label: string; targets: readonly Target[] }) {
  if (targets.length === 0) return null;
  return (
    <optgroup label={label}>
      {targets.map((it) => (
        <option key={it.key} value={it.key}>
          {it.label}
        </option>
      ))}
    </optgroup>
  );
}
