"""What can be done with an audience. Every use case is one function here and one transaction; GraphQL, imports and the demo all call these."""
