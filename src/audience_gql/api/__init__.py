"""GraphQL, and nothing but: decode, call the application or read storage, name the failure. It decides and writes nothing itself."""
