/** The tabs with which the playground opens, one per file, in this order. Tests validate each against schema.graphql. */

import segment from "./examples/1-segment.graphql?raw";
import members from "./examples/2-members.graphql?raw";
import live from "./examples/3-live.graphql?raw";
import explanation from "./examples/4-explanation.graphql?raw";
import order from "./examples/5-order.graphql?raw";

export const EXAMPLES = [segment, members, live, explanation, order];
