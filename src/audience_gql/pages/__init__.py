"""Serves the two pages of the product: the console at / and the playground at /graphiql. Both were built into this package.

It only serves files. The pages send their requests to the API with the visitor's token. Their sources are in `console/` and
`playground/` at the project's root.
"""
