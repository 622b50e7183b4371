"""The way of webhooks to their receivers: signs a message and makes one attempt to send it, without reaching any private network."""
