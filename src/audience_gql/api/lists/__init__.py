"""Groups and segments, their members, and the log of membership changes."""
