"""How operations come and answers go: HTTP, websockets, server-sent events, uploads. Nothing here knows a noun."""
