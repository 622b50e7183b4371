"""Compiles conditions to SQL: the questions of a leaf, and the statements for named people, for ranges and for lists."""
