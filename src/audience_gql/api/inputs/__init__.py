"""Checks the values of arguments and variables against the schema, and describes each problem in our own words."""
