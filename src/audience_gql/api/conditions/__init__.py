"""Conditions in the schema: their input, and all that helps to write, try and understand one."""
