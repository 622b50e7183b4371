"""Results that come one by one: websockets and server-sent events, and the subscriptions that run on both."""
