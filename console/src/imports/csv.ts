/** Reads the beginning of a CSV file in the browser, to show what its columns contain. The server reads the whole file by itself. */

const BEGINNING_BYTES = 65_536;
const EXAMPLES = 3;
const DELIMITERS = [",", ";", "\t", "|"];

export type Beginning = {
  delimiter: string;
  headers: readonly string[];
  /** The first rows, to show. */
  examples: readonly (readonly string[])[];
};

/** Null if the file is empty, or is not text. */
export async function beginningOf(file: File): Promise<Beginning | null> {
  const bytes = await file.slice(0, BEGINNING_BYTES).arrayBuffer();
  const text = new TextDecoder().decode(bytes, { stream: true }); // a character may be cut off at the end
  if (text.trim() === "" || text.includes("\0")) return null;
  const delimiter = delimiterOf(text);
  const rows = rowsOf(text, delimiter).filter((it) => it.some((cell) => cell !== ""));
  const [headers, ...others] = rows.slice(0, EXAMPLES + 1);
  return headers ? { delimiter, headers, examples: others } : null;
}

/** The one that divides the first line into most cells. */
function delimiterOf(text: string): string {
  const cells = (it: string) => rowsOf(text, it)[0]?.length ?? 0;
  return DELIMITERS.toSorted((one, other) => cells(other) - cells(one))[0]!;
}

/** The first rows of a text, without blanks around the cells. */
function rowsOf(text: string, delimiter: string): string[][] {
  const rows: string[][] = [];
  const cells = new RegExp(`[^\\S\\r\\n${delimiter}]*(?:"((?:[^"]|"")*)"[^\\S\\r\\n${delimiter}]*|([^\\r\\n${delimiter}]*))(${escaped(delimiter)}|\\r\\n?|\\n|$)`, "y");
  let row: string[] = [];
  while (cells.lastIndex < text.length && rows.length <= EXAMPLES) {
    const found = cells.exec(text);
    if (!found) break;
    row.push((found[1]?.replaceAll('""', '"') ?? found[2] ?? "").trim());
    if (found[3] === delimiter) continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

function escaped(delimiter: string): string {
  return delimiter === "|" ? "\\|" : delimiter;
}
