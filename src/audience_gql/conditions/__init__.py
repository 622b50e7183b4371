"""The condition language: what a condition may say, what it means, and the SQL that decides it.

A pure package: standard library only, no I/O, no clock. Start reading at `base.py`, then any file of
`kinds/`.
"""
