"""The addresses for files: those of exports and of imports."""
