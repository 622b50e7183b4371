"""audience-gql: who belongs to which audience, exactly, at every instant, over GraphQL."""
