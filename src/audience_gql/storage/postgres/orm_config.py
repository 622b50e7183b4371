"""The ORM's configuration for one server, and the settings of every connection to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from tortoise.backends.base.config_generator import expand_db_url

from audience_gql.storage.postgres import orm_client
from audience_gql.storage.postgres.connections import (
    CONNECT_SECONDS,
    IDLE_IN_TRANSACTION_SECONDS,
    SERVER_KEEPALIVE,
    PlainConnection,
    command_timeout,
)

if TYPE_CHECKING:
    from audience_gql.storage.postgres.presence import Presence

MODELS = {
    "models": [
        "audience_gql.storage.orm.models",
        "audience_gql.storage.orm.work_models",
        "audience_gql.storage.orm.import_models",
        "audience_gql.storage.orm.export_models",
        "audience_gql.storage.orm.trail_models",
        "audience_gql.storage.orm.document_models",
        "audience_gql.storage.acting.models",
    ],
    "migrations": "audience_gql.storage.migrations",
}


def tortoise_config(
    url: str,
    pool_size: int,
    statement_timeout_seconds: float,
    lock_timeout_seconds: float,
    *,
    presence: Presence | None = None,
) -> dict[str, Any]:  # Any: the ORM's own
    """The ORM's configuration for one server and the models of this project."""
    connection = expand_db_url(urlunsplit(urlsplit(url)._replace(scheme="asyncpg")))
    connection["engine"] = orm_client.__name__
    connection["credentials"] |= {
        "minsize": 1,
        "maxsize": pool_size,
        "connection_class": PlainConnection,
        "init": None if presence is None else presence.register,
        "timeout": CONNECT_SECONDS,
        "command_timeout": command_timeout(statement_timeout_seconds),
        "server_settings": {
            **server_settings(statement_timeout_seconds, lock_timeout_seconds),
            "application_name": "audience-gql",
        },
    }
    return {
        "connections": {"default": connection},
        "apps": {"audience": {**MODELS, "default_connection": "default"}},
    }


def server_settings(statement_timeout_seconds: float, lock_timeout_seconds: float) -> dict[str, str]:
    """The Postgres settings of every connection."""
    return {
        "timezone": "UTC",
        "jit": "off",
        "statement_timeout": str(int(statement_timeout_seconds * 1000)),
        "lock_timeout": str(int(lock_timeout_seconds * 1000)),
        # A client that the server can no longer reach must not keep its locks or its connection.
        "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_SECONDS * 1000),
        **SERVER_KEEPALIVE,
    }
