"""The GraphQL layer: it decodes requests, calls the application or reads storage, and names failures.

It must not decide or write anything itself.
"""
