"""Conditions in the schema: their input, and what helps to write, preview and understand one."""
