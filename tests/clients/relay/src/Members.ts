// Documents as a front end with Relay has them: a connection, an interface, unions, and a subscription.
import { graphql } from "relay-runtime";

export const page = graphql`
  query MembersQuery($segment: ID!) {
    segment(by: { id: $segment }) {
      memberCount
      condition
      ...Members_segment
    }
  }
`;

export const members = graphql`
  fragment Members_segment on Segment
  @refetchable(queryName: "MembersPaginationQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 20 }, cursor: { type: "String" }) {
    name
    members(first: $count, after: $cursor) @connection(key: "Members_segment_members") {
      edges {
        enteredAt
        node {
          id
          email
        }
      }
    }
  }
`;

export const anything = graphql`
  query MembersNodeQuery($id: ID!) {
    node(id: $id) {
      __typename
      ...Members_segment @alias(as: "segment")
    }
  }
`;

export const create = graphql`
  mutation MembersCreateMutation($input: CreateSegmentInput!) {
    createSegment(input: $input) {
      ... on Segment {
        id
        state
      }
      ... on SegmentCycle {
        cycle {
          id
          name
        }
      }
      ...Members_segment @alias(as: "segment")
      ...Members_failure @alias(as: "failure")
    }
  }
`;

export const failure = graphql`
  fragment Members_failure on UserError {
    message
    path
  }
`;

export const live = graphql`
  subscription MembersSubscription($after: String) {
    membershipChanges(after: $after) {
      after
      cursor
      changes {
        kind
        subscriber {
          id
          ...Members_person
        }
      }
    }
  }
`;

export const person = graphql`
  fragment Members_person on Subscriber {
    email
    firstName
  }
`;
