"""Automations: what happens when somebody enters or leaves a list."""
