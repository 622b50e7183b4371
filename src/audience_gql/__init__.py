"""audience-gql: an audience backend over GraphQL, which keeps the members of every segment exact at every instant."""
