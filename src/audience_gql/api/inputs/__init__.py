"""Values that callers give for arguments and variables: checked against the schema, and what is wrong told in our own words."""
