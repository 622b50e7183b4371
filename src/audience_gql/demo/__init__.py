"""The demo: the purchase log of a real shop, loaded through the same application code that the API uses."""
