"""The use cases: each is one function and one transaction. GraphQL, imports and the demo call the same functions."""
