/** The types of custom fields, in words. */

import type { CustomFieldType } from "../gql/graphql";

export const TYPES: Record<CustomFieldType, string> = {
  TEXT: "text",
  NUMBER: "number",
  BOOLEAN: "yes or no",
  DATE: "day",
  DATETIME: "instant",
  LIST: "list of texts",
};
