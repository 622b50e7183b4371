/**
 * The documents for the flow of a segment: one flow for each interval of a period, and one for all of them. Each of the intervals has
 * an alias. The flow for all of them has none, because the API allows 30 aliases. The documents are written out, because the build must
 * know each text that the page sends.
 */

import { graphql, withFragments } from "../api/graphql";

const PART = graphql(`
  fragment FlowPart on SegmentFlow {
    from
    causes {
      cause
      entered
      left
    }
  }
`);
const WHOLE = graphql(`
  fragment FlowWhole on SegmentFlow {
    came
    cameBack
    left
    medianStaySeconds
    causes {
      cause
      entered
      left
    }
  }
`);

export const FLOW_OF_DAY = withFragments(
  graphql(`
  query FlowOfDay($id: ID!, $t0: DateTime!, $t1: DateTime!, $t2: DateTime!, $t3: DateTime!, $t4: DateTime!, $t5: DateTime!, $t6: DateTime!, $t7: DateTime!, $t8: DateTime!, $t9: DateTime!, $t10: DateTime!, $t11: DateTime!, $t12: DateTime!) {
    segment(by: { id: $id }) {
      id
      flow(from: $t0) { ...FlowWhole }
      part0: flow(from: $t0, to: $t1) { ...FlowPart }
      part1: flow(from: $t1, to: $t2) { ...FlowPart }
      part2: flow(from: $t2, to: $t3) { ...FlowPart }
      part3: flow(from: $t3, to: $t4) { ...FlowPart }
      part4: flow(from: $t4, to: $t5) { ...FlowPart }
      part5: flow(from: $t5, to: $t6) { ...FlowPart }
      part6: flow(from: $t6, to: $t7) { ...FlowPart }
      part7: flow(from: $t7, to: $t8) { ...FlowPart }
      part8: flow(from: $t8, to: $t9) { ...FlowPart }
      part9: flow(from: $t9, to: $t10) { ...FlowPart }
      part10: flow(from: $t10, to: $t11) { ...FlowPart }
      part11: flow(from: $t11, to: $t12) { ...FlowPart }
    }
  }
`),
  PART,
  WHOLE,
);

export const FLOW_OF_WEEK = withFragments(
  graphql(`
  query FlowOfWeek($id: ID!, $t0: DateTime!, $t1: DateTime!, $t2: DateTime!, $t3: DateTime!, $t4: DateTime!, $t5: DateTime!, $t6: DateTime!, $t7: DateTime!) {
    segment(by: { id: $id }) {
      id
      flow(from: $t0) { ...FlowWhole }
      part0: flow(from: $t0, to: $t1) { ...FlowPart }
      part1: flow(from: $t1, to: $t2) { ...FlowPart }
      part2: flow(from: $t2, to: $t3) { ...FlowPart }
      part3: flow(from: $t3, to: $t4) { ...FlowPart }
      part4: flow(from: $t4, to: $t5) { ...FlowPart }
      part5: flow(from: $t5, to: $t6) { ...FlowPart }
      part6: flow(from: $t6, to: $t7) { ...FlowPart }
    }
  }
`),
  PART,
  WHOLE,
);

export const FLOW_OF_MONTH = withFragments(
  graphql(`
  query FlowOfMonth($id: ID!, $t0: DateTime!, $t1: DateTime!, $t2: DateTime!, $t3: DateTime!, $t4: DateTime!, $t5: DateTime!, $t6: DateTime!, $t7: DateTime!, $t8: DateTime!, $t9: DateTime!, $t10: DateTime!, $t11: DateTime!, $t12: DateTime!, $t13: DateTime!, $t14: DateTime!, $t15: DateTime!, $t16: DateTime!, $t17: DateTime!, $t18: DateTime!, $t19: DateTime!, $t20: DateTime!, $t21: DateTime!, $t22: DateTime!, $t23: DateTime!, $t24: DateTime!, $t25: DateTime!, $t26: DateTime!, $t27: DateTime!, $t28: DateTime!, $t29: DateTime!, $t30: DateTime!) {
    segment(by: { id: $id }) {
      id
      flow(from: $t0) { ...FlowWhole }
      part0: flow(from: $t0, to: $t1) { ...FlowPart }
      part1: flow(from: $t1, to: $t2) { ...FlowPart }
      part2: flow(from: $t2, to: $t3) { ...FlowPart }
      part3: flow(from: $t3, to: $t4) { ...FlowPart }
      part4: flow(from: $t4, to: $t5) { ...FlowPart }
      part5: flow(from: $t5, to: $t6) { ...FlowPart }
      part6: flow(from: $t6, to: $t7) { ...FlowPart }
      part7: flow(from: $t7, to: $t8) { ...FlowPart }
      part8: flow(from: $t8, to: $t9) { ...FlowPart }
      part9: flow(from: $t9, to: $t10) { ...FlowPart }
      part10: flow(from: $t10, to: $t11) { ...FlowPart }
      part11: flow(from: $t11, to: $t12) { ...FlowPart }
      part12: flow(from: $t12, to: $t13) { ...FlowPart }
      part13: flow(from: $t13, to: $t14) { ...FlowPart }
      part14: flow(from: $t14, to: $t15) { ...FlowPart }
      part15: flow(from: $t15, to: $t16) { ...FlowPart }
      part16: flow(from: $t16, to: $t17) { ...FlowPart }
      part17: flow(from: $t17, to: $t18) { ...FlowPart }
      part18: flow(from: $t18, to: $t19) { ...FlowPart }
      part19: flow(from: $t19, to: $t20) { ...FlowPart }
      part20: flow(from: $t20, to: $t21) { ...FlowPart }
      part21: flow(from: $t21, to: $t22) { ...FlowPart }
      part22: flow(from: $t22, to: $t23) { ...FlowPart }
      part23: flow(from: $t23, to: $t24) { ...FlowPart }
      part24: flow(from: $t24, to: $t25) { ...FlowPart }
      part25: flow(from: $t25, to: $t26) { ...FlowPart }
      part26: flow(from: $t26, to: $t27) { ...FlowPart }
      part27: flow(from: $t27, to: $t28) { ...FlowPart }
      part28: flow(from: $t28, to: $t29) { ...FlowPart }
      part29: flow(from: $t29, to: $t30) { ...FlowPart }
    }
  }
`),
  PART,
  WHOLE,
);
