/** The operations of docs/operations, for the menu and for URLs such as /graphiql?operation=Members; and those that the console opens. */

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

/** In the order of their files. The first line of a file describes its operation. */
export const OPERATIONS: Operation[] = Object.entries(FILES)
  .sort(([one], [other]) => one.localeCompare(other))
  .map(([, query]) => ({
    name: definition(query).name?.value ?? "",
    about: query.split("\n", 1)[0]?.replace(/^#\s*/, "") ?? "",
    query,
  }));

export type Tab = { query: string; variables?: string };

/**
 * The operation that the page's URL asks for; null if it asks for none. A documented one is named in the query, and has blank variables.
 * The console writes a whole document and its variables behind `#`, which is sent to no server. Nothing runs by itself.
 */
export function askedFor(schema: GraphQLSchema): Tab | null {
  const given = new URLSearchParams(location.hash.slice(1));
  const query = given.get("query");
  if (query !== null) return { query, variables: given.get("variables") ?? "" };
  const name = new URLSearchParams(location.search).get(PARAMETER);
  if (name === null) return null;
  const found = OPERATIONS.find((it) => it.name === name);
  return found
    ? { query: found.query, variables: blanks(found.query, schema) }
    : {
        query: `# There is no documented operation called ${JSON.stringify(name)}.\n# See the menu "Operations".\n`,
      };
}

/** Removes the operation from the URL, so that a reload does not open it again. */
export function forgetAddress(): void {
  history.replaceState(null, "", location.pathname);
}

export function addressOf({ name }: Operation): string {
  return `?${PARAMETER}=${encodeURIComponent(name)}`;
}

/** JSON with every required variable, left blank. */
function blanks(query: string, schema: GraphQLSchema): string {
  const required = (definition(query).variableDefinitions ?? []).flatMap(
    ({ variable, type }) => {
      const wanted = typeFromAST(schema, type as never); // each overload accepts only one kind of node
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
    throw new Error(`${query}\nis not an operation`);
  return first;
}
