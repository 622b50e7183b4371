"""The history of the schema. Each migration runs SQL from a file beside it, and its docstring states the locks that it takes."""
