"""The condition language: the input of conditions, their meaning, and the SQL that decides them.

A pure package: it must import only the standard library, and has no I/O and no clock. Start reading at `base.py`, then
any file of `kinds/`.
"""
