"""How operations arrive and results leave: HTTP, websockets, server-sent events and uploads."""
