/** The documented operations, as docs/operations has them: for the menu, and for an address such as /graphiql?operation=Members. */

import {
  isInputObjectType,
  isListType,
  isNonNullType,
  Kind,
  parse,
  typeFromAST,
  type GraphQLInputType,
  type GraphQLSchema,
  type OperationDefinitionNode,
} from "graphql";

const FILES = import.meta.glob<string>("../../docs/operations/*.graphql", {
  query: "?raw",
  import: "default",
  eager: true,
});
const PARAMETER = "operation";

export type Operation = { name: string; about: string; query: string };

/** In the order of their files; a file's first line says what its operation is for. */
export const OPERATIONS: Operation[] = Object.entries(FILES)
  .sort(([one], [other]) => one.localeCompare(other))
  .map(([, query]) => ({
    name: definition(query).name?.value ?? "",
    about: query.split("\n", 1)[0]?.replace(/^#\s*/, "") ?? "",
    query,
  }));

export type Tab = { query: string; variables?: string };

/** What the page's address asks for, with room for its variables; null when it asks for nothing. */
export function askedFor(schema: GraphQLSchema): Tab | null {
  const name = new URLSearchParams(location.search).get(PARAMETER);
  if (name === null) return null;
  const found = OPERATIONS.find((it) => it.name === name);
  return found
    ? { query: found.query, variables: blanks(found.query, schema) }
    : {
        query: `# There is no documented operation called ${JSON.stringify(name)}.\n# The menu "Operations" has those that there are.\n`,
      };
}

/** A reload is not to open it once more. */
export function forgetAddress(): void {
  history.replaceState(null, "", location.pathname);
}

export function addressOf({ name }: Operation): string {
  return `?${PARAMETER}=${encodeURIComponent(name)}`;
}

/** JSON with every variable that must be given, left blank. */
function blanks(query: string, schema: GraphQLSchema): string {
  const required = (definition(query).variableDefinitions ?? []).flatMap(
    ({ variable, type }) => {
      const wanted = typeFromAST(schema, type as never); // whose overloads know only one kind of node each
      return isNonNullType(wanted)
        ? [[variable.name.value, blank(wanted.ofType as GraphQLInputType)]]
        : [];
    },
  );
  return JSON.stringify(Object.fromEntries(required), null, 2);
}

function blank(type: GraphQLInputType): unknown {
  if (isListType(type)) return [];
  if (!isInputObjectType(type)) return "";
  const required = Object.values(type.getFields()).filter((it) =>
    isNonNullType(it.type),
  );
  return Object.fromEntries(
    required.map(({ name, type: wanted }) => [
      name,
      isNonNullType(wanted) ? blank(wanted.ofType) : null,
    ]),
  );
}

function definition(query: string): OperationDefinitionNode {
  const [first] = parse(query).definitions;
  if (first?.kind !== Kind.OPERATION_DEFINITION)
    throw new Error(`${query}\nis no operation`);
  return first;
}
