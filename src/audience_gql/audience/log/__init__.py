"""The log as readers hear it: from a cursor on, then what happens, once for all who listen; and how long it is kept."""
