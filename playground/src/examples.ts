/** What the playground opens with: one tab a file, in this order. Each is checked against schema.graphql by the tests. */

import segment from "./examples/1-segment.graphql?raw";
import members from "./examples/2-members.graphql?raw";
import live from "./examples/3-live.graphql?raw";
import explanation from "./examples/4-explanation.graphql?raw";
import order from "./examples/5-order.graphql?raw";

export const EXAMPLES = [segment, members, live, explanation, order];
