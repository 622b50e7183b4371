"""Webhooks from the outbox to their receivers: endpoints, messages, and when each one is sent."""
