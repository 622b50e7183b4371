"""What is made from the schema for other programs: files for code generators, tools, and the differences from an older version."""
