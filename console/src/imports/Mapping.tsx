import { useId, useState } from "react";

import type { StartImportInput } from "../gql/graphql";
import { go, toImport } from "../paths";
import type { Beginning } from "./csv";
import { Columns } from "./Columns";
import { Progress } from "./Progress";
import { useStarting } from "./starting";
import { guessed, problemOf, targetOf, type KnownField } from "./targets";

type MappingProps = {
  file: File;
  beginning: Beginning;
  fields: readonly KnownField[];
  groups: readonly { id: string; name: string }[];
};

/** What the columns of the chosen file contain, and the buttons that check and import it. */
export function Mapping({ file, beginning, fields, groups }: MappingProps) {
  const id = useId();
  const [targets, setTargets] = useState(() => guessed(beginning.headers, fields));
  const [groupId, setGroupId] = useState("");
  const [emptyClears, setEmptyClears] = useState(false);
  const [sent, setSent] = useState<number | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [checkId, setCheckId] = useState<string | null>(null);
  const start = useStarting();
  const isSending = sent !== null;

  /** A check belongs to the choice with which it was started. */
  function changing<Value>(set: (value: Value) => void): (value: Value) => void {
    return (value) => {
      set(value);
      setCheckId(null);
      setProblem(null);
    };
  }

  async function begin(dryRun: boolean) {
    const wrong = problemOf(targets);
    setProblem(wrong);
    if (isSending || wrong !== null) return;
    setSent(0);
    const input = inputOf(beginning, targets, { groupId, emptyClears, dryRun, fileName: file.name });
    const started = await start(input, file, setSent);
    setSent(null);
    setProblem(started.problem);
    if (started.id === null) return;
    if (dryRun) setCheckId(started.id);
    else go(toImport(started.id));
  }

  return (
    <section aria-labelledby={`${id}-heading`}>
      <h3 id={`${id}-heading`}>What the columns contain</h3>
      <Columns beginning={beginning} targets={targets} fields={fields} onChange={changing(setTargets)} />
      <div className="options">
        <label>
          Add everybody to the group{" "}
          <select value={groupId} onChange={(event) => changing(setGroupId)(event.target.value)}>
            <option value="">none</option>
            {groups.map((it) => (
              <option key={it.id} value={it.id}>
                {it.name}
              </option>
            ))}
          </select>
        </label>
        <label className="check">
          <input
            type="checkbox"
            checked={emptyClears}
            onChange={(event) => changing(setEmptyClears)(event.target.checked)}
          />
          An empty cell removes the value that is stored
        </label>
      </div>
      <p className="problem" role="alert">
        {problem}
      </p>
      <div className="pausing">
        <button type="button" className={checkId === null ? "primary" : ""} onClick={() => void begin(true)}>
          Check the file
        </button>
        <button type="button" className={checkId === null ? "" : "primary"} onClick={() => void begin(false)}>
          Start the import
        </button>
        <span className="quiet" role="status">
          {isSending ? `Sending the file: ${Math.floor(sent * 100)} %` : "A check writes nothing. An import can be undone for 30 days."}
        </span>
      </div>
      {checkId !== null && <Progress key={checkId} id={checkId} />}
    </section>
  );
}

type Options = { groupId: string; emptyClears: boolean; dryRun: boolean; fileName: string };
const FILE_NAME_LIMIT = 255;

function inputOf({ delimiter, headers }: Beginning, targets: readonly string[], options: Options): StartImportInput {
  return {
    columns: headers.flatMap((header, index) => (targets[index] ? [{ header, to: targetOf(targets[index]) }] : [])),
    delimiter,
    emptyClears: options.emptyClears,
    dryRun: options.dryRun,
    fileName: options.fileName.slice(-FILE_NAME_LIMIT),
    addToGroupIds: options.groupId ? [options.groupId] : null,
  };
}
