import { useState } from "react";
import { useQuery } from "urql";

import { graphql } from "../api/graphql";
import { useShown } from "../shown";
import { Trouble } from "../Trouble";
import { beginningOf, type Beginning } from "./csv";
import { FileField } from "./FileField";
import { Mapping } from "./Mapping";

const TARGETS = graphql(`
  query ImportTargets {
    customFields {
      id
      key
      label
    }
    groups(first: 100) {
      edges {
        node {
          id
          name
        }
      }
    }
  }
`);

type Chosen = { file: File; beginning: Beginning };

/** A new import: choose a file, say what its columns contain, check it, and start. */
export function Wizard() {
  const [chosen, setChosen] = useState<Chosen | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [{ data, error }, retry] = useQuery({ query: TARGETS });
  useShown(TARGETS, {});

  async function choose(file: File) {
    const beginning = await beginningOf(file);
    setChosen(beginning && { file, beginning });
    setProblem(beginning ? null : `“${file.name}” is empty, or is not a CSV file.`);
  }

  return (
    <>
      <FileField name={chosen?.file.name ?? null} onFile={(file) => void choose(file)} />
      <p className="problem" role="alert">
        {problem}
      </p>
      {error && !data && <Trouble error={error} onRetry={() => retry({ requestPolicy: "network-only" })} />}
      {chosen && data && (
        <Mapping
          key={`${chosen.file.name} ${chosen.file.size} ${chosen.file.lastModified}`}
          file={chosen.file}
          beginning={chosen.beginning}
          fields={data.customFields}
          groups={data.groups.edges.map((it) => it.node)}
        />
      )}
    </>
  );
}
