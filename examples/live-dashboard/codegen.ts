import type { CodegenConfig } from "@graphql-codegen/cli";

/** Types for every operation in src/, from the schema that the server is tested against. Written to src/gql, never committed. */
const config: CodegenConfig = {
  schema: "../../schema.graphql",
  documents: ["src/**/*.{ts,tsx}", "!src/gql/**/*"],
  generates: {
    "src/gql/": {
      preset: "client",
      presetConfig: { fragmentMasking: false },
      config: {
        strictScalars: true,
        scalars: {
          Condition: "ConditionInput", // what is read can be sent back
          Date: "string",
          DateTime: "string",
          JSON: "unknown",
        },
        useTypeImports: true,
      },
    },
  },
};

export default config;
