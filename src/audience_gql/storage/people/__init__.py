"""Facts about people, and the keys that name them."""
