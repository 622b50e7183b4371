"""The web server: how it runs, and the protocols of its connections."""
