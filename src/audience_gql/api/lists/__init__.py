"""Groups and segments, who is in them, who came and went."""
