"""Subscribers, their channels, fields and events, and what can be done with them."""
