"""Documents before they run: parsed, validated, measured, and found by their hash."""
