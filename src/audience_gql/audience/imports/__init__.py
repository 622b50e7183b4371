"""Imports people from files: starts imports, receives files, reads records and writes rows."""
