/** The tabs with which the playground opens, one per file, in this order. Tests validate each against schema.graphql. */

import segment from "./examples/1-segment.graphql?raw";
import members from "./examples/2-members.graphql?raw";
import live from "./examples/3-live.graphql?raw";
import explanation from "./examples/4-explanation.graphql?raw";
import order from "./examples/5-order.graphql?raw";
import automation from "./examples/6-automation.graphql?raw";
import webhook from "./examples/7-webhook.graphql?raw";

import type { Tab } from "./operations";

/** The automation of the sixth example. Its segment is missing, because only the API knows the id. */
const THANKS = {
  automation: {
    name: "Thank regulars",
    trigger: { segment: "" },
    holdFor: { minutes: 1 },
    actions: [{ trackEvent: { name: "thanked" } }],
  },
};

/** The endpoint of the last example, and its id, which only the API knows. */
const ENDPOINT = { endpoint: { name: "CRM", url: "https://crm.example/" }, id: "" };

export const EXAMPLES: Tab[] = [
  { query: segment },
  { query: members },
  { query: live },
  { query: explanation },
  { query: order },
  { query: automation, variables: JSON.stringify(THANKS, null, 2) },
  { query: webhook, variables: JSON.stringify(ENDPOINT, null, 2) },
];
