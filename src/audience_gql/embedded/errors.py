"""The base class of this package's expected failures, so that a command can print any of them as one message."""


class EmbeddedError(Exception):
    """The servers cannot be started here. The message says why, and what to do."""
