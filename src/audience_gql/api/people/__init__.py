"""Subscribers with their channels, custom fields and events, and the mutations that change them."""
