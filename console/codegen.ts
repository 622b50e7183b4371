import type { CodegenConfig } from "@graphql-codegen/cli";

/** Generates types for every operation in src/, from the schema that the server's tests use. The output in src/gql is never committed. */
const config: CodegenConfig = {
  schema: "../schema.graphql",
  documents: ["src/**/*.{ts,tsx}", "!src/gql/**/*"],
  generates: {
    "src/gql/": {
      preset: "client",
      presetConfig: { fragmentMasking: false },
      config: {
        strictScalars: true,
        scalars: {
          Condition: "ConditionInput", // a condition that was read can be sent back
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
