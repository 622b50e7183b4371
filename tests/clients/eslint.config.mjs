// Recommended rules for the operations that the documentation offers. ESLint runs from a copy of this folder's packages.
import graphql from "@graphql-eslint/eslint-plugin";

export default [
  {
    files: ["operations/*.graphql"],
    languageOptions: {
      parser: graphql.parser,
      parserOptions: { graphQLConfig: { schema: "schema.graphql", documents: "operations/*.graphql" } },
    },
    plugins: { "@graphql-eslint": graphql },
    rules: graphql.configs["flat/operations-recommended"].rules,
  },
];
