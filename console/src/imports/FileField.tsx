import { useId, useState, type DragEvent } from "react";

type FileFieldProps = { /** The name of the chosen file. */ name: string | null; onFile: (file: File) => void };

/** A place to drop a file on, with the browser's own field for those who do not drag. */
export function FileField({ name, onFile }: FileFieldProps) {
  const id = useId();
  const [isOver, setIsOver] = useState(false);

  function drop(event: DragEvent) {
    event.preventDefault();
    setIsOver(false);
    const file = event.dataTransfer.files[0];
    if (file) onFile(file);
  }

  return (
    <div
      className={isOver ? "drop over" : "drop"}
      onDragOver={(event) => {
        event.preventDefault();
        setIsOver(true);
      }}
      onDragLeave={() => setIsOver(false)}
      onDrop={drop}
    >
      <label htmlFor={id}>CSV file</label>
      <input
        id={id}
        type="file"
        accept=".csv,.tsv,.txt,text/csv"
        aria-describedby={`${id}-rule`}
        onChange={(event) => {
          const file = event.target.files?.[0];
          if (file) onFile(file);
        }}
      />
      <p id={`${id}-rule`} className="quiet">
        {name === null ? "Choose a file, or drop it here. " : `“${name}” is chosen. `}
        Its first line names the columns, its text is UTF-8, and it has at most 1 GiB.
      </p>
    </div>
  );
}
