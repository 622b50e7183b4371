"""Definitions as files in a folder: pulled from a running server, planned, and applied. It only uses the public API."""
