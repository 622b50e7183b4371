"""What operators do to workspaces and their tokens. The audit trail has the command line as the actor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

from audience_gql.audience.access import create_token, revoke_token, rotate_token
from audience_gql.audience.failures import NotFound
from audience_gql.audience.ports import Ports
from audience_gql.audience.workspace_removal import begin_removal, remove_workspace
from audience_gql.audience.workspaces import create_workspace, rename_workspace
from audience_gql.config import Settings
from audience_gql.opened_ports import open_ports
from audience_gql.storage.orm.models import ApiToken, Workspace
from audience_gql.storage.reads.batches import api_tokens


async def create_named_workspace(settings: Settings, *, name: str, timezone: str) -> None:
    """Create an empty workspace. Raises InvalidInput, NameTaken."""
    async with open_ports(settings.database_url, settings.redis_url) as ports:
        await create_workspace(ports=ports, name=name, timezone=timezone)


async def all_workspaces(settings: Settings) -> list[Workspace]:
    """All workspaces by name, also those that are being deleted."""
    async with open_ports(settings.database_url, settings.redis_url):
        return await Workspace.all().order_by("name")


async def rename(settings: Settings, *, workspace: str, name: str) -> None:
    """Give a workspace another name. Raises NotFound, InvalidInput, NameTaken."""
    async with open_ports(settings.database_url, settings.redis_url) as ports:
        await rename_workspace(ports=ports, workspace=await workspace_named(workspace), name=name)


async def delete(settings: Settings, *, workspace: str, confirmed_name: str) -> AsyncIterator[int]:
    """Delete a workspace with everything in it, or go on with it. Yields how many rows are removed so far.

    Raises NotFound, InvalidInput if the repeated name differs, BeingWritten.
    """
    async with open_ports(settings.database_url, settings.redis_url) as ports:
        found = await Workspace.get_or_none(name=workspace)
        if found is None:
            raise _no_workspace(workspace)
        await begin_removal(ports=ports, workspace=found, confirmed_name=confirmed_name)
        async for removed in remove_workspace(ports=ports, workspace=found):
            yield removed


async def create_named_token(
    settings: Settings,
    *,
    workspace: str,
    name: str,
    scopes: Sequence[str],
    days: int | None = None,
    networks: Sequence[str] | None = None,
    only_trusted_documents: bool = False,
    with_console_documents: bool = False,
) -> str:
    """Create a token for the workspace with this name, and the workspace if it is missing. Returns the token's text. Raises InvalidInput.

    It expires after so many days; None means never.
    """
    async with open_ports(settings.database_url, settings.redis_url) as ports:
        found = await Workspace.get_or_none(name=workspace) or await create_workspace(
            ports=ports, name=workspace
        )
        if found.deleted_at is not None:
            raise _no_workspace(workspace)
        expires_at = None if days is None else await _now(ports) + timedelta(days=days)
        _, secret = await create_token(
            ports=ports,
            workspace=found,
            name=name,
            scopes=scopes,
            expires_at=expires_at,
            networks=networks,
            only_trusted_documents=only_trusted_documents,
            with_console_documents=with_console_documents,
        )
    return secret


async def tokens_of(settings: Settings, *, workspace: str) -> tuple[list[ApiToken], datetime]:
    """The tokens of a workspace that are not revoked, the latest first, and the present. Raises NotFound."""
    async with open_ports(settings.database_url, settings.redis_url) as ports:
        found = await workspace_named(workspace)
        return await api_tokens(ports.database, found.id), await _now(ports)


async def revoke(settings: Settings, *, workspace: str, prefix: str) -> None:
    """Refuse a token from now on. `prefix` is the eight characters after `agq_`. Raises NotFound."""
    async with open_ports(settings.database_url, settings.redis_url) as ports:
        found = await workspace_named(workspace)
        token_id = await _token_id(found, prefix)
        await revoke_token(ports=ports, workspace=found, token_id=token_id)


async def rotate(settings: Settings, *, workspace: str, prefix: str, overlap_hours: int) -> str:
    """Replace a token by a new one, and let the old one end after so many hours. Returns the text of the new one. Raises NotFound."""
    async with open_ports(settings.database_url, settings.redis_url) as ports:
        found = await workspace_named(workspace)
        token_id = await _token_id(found, prefix)
        overlap = timedelta(hours=overlap_hours)
        _, secret = await rotate_token(ports=ports, workspace=found, token_id=token_id, overlap=overlap)
    return secret


async def workspace_named(name: str) -> Workspace:
    """The workspace with this name. Raises NotFound, also for one that is being deleted."""
    found = await Workspace.get_or_none(name=name, deleted_at__isnull=True)
    if found is None:
        raise _no_workspace(name)
    return found


def _no_workspace(name: str) -> NotFound:
    return NotFound(f"there is no workspace called {name!r}, or it is being deleted", ("workspace",))


async def _token_id(workspace: Workspace, prefix: str) -> int:
    """The id of the token with this prefix, which may also be given with `agq_`. Raises NotFound."""
    wanted = prefix.removeprefix("agq_").partition("_")[0]
    token = await ApiToken.get_or_none(workspace_id=workspace.id, prefix=wanted, revoked_at__isnull=True)
    if token is None:
        message = f"the workspace has no token {wanted[:8]!r}; `audience-gql token list` shows them"
        raise NotFound(message, ("token",))
    return token.id


async def _now(ports: Ports) -> datetime:
    async with ports.database.acquire() as connection:
        return (await ports.clock.now(connection)).astimezone(UTC)
