"""One file a kind of condition.

Add a file: nothing else needs to know (tests/conditions/cases holds its examples).
"""
