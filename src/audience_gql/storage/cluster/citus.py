"""Distributes the tables over the machines of a Citus cluster, and brings them back to one machine.

It knows which table lives where. docs/howto/scale-out.md says when this pays.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

from audience_gql.storage.tables import BUCKETED

if TYPE_CHECKING:
    from audience_gql.storage.postgres.database import Connection


class Place(Enum):
    """Where the rows of a table live."""

    LOCAL = "local"
    """On the coordinator."""
    REFERENCE = "reference"
    """On every machine, complete."""
    DISTRIBUTED = "distributed"
    """Each bucket's rows on one machine."""


Places: TypeAlias = Mapping[str, Place]

REFERENCE: Final = (
    "workspaces",
    "custom_fields",
    "event_names",
    "groups",
    "segments",
    "segment_dependencies",
    "automations",
    "webhook_endpoints",
    "zone_clocks",
)
"""Definitions, which statements about people join. They are small and rarely written."""
DISTRIBUTED: Final = ("buckets", *reversed(BUCKETED))
"""Tables with a row for each bucket, and with rows of a bucket. All others stay on the coordinator: the work of the processes, tokens, and the keys of
people. A key has one owner in the whole workspace, and nothing that a machine does on its own asks for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A foreign key that stands in the way."""

    table: str
    name: str
    definition: str

    @property
    def add(self) -> str:
        return f"ALTER TABLE {self.table} ADD CONSTRAINT {self.name} {self.definition}"

    @property
    def drop(self) -> str:
        return f"ALTER TABLE {self.table} DROP CONSTRAINT {self.name}"


def _of_people(table: str) -> Key:
    definition = (
        "FOREIGN KEY (bucket_id, subscriber_id) REFERENCES subscribers(bucket_id, id) ON DELETE CASCADE"
    )
    return Key(table=table, name=f"{table}_bucket_id_subscriber_id_fkey", definition=definition)


def _of_workspaces(table: str) -> Key:
    definition = "FOREIGN KEY (workspace_id) REFERENCES workspaces(id) ON DELETE CASCADE"
    return Key(table=table, name=f"{table}_workspace_id_fkey", definition=definition)


KEPT: Final = (
    Key(
        table="subscribers",
        name="subscribers_bucket_id_fkey",
        definition="FOREIGN KEY (bucket_id) REFERENCES buckets(id)",
    ),
    *map(_of_people, ("channel_states", "group_members", "subscriber_dates")),
    Key(
        table="segment_dependencies",
        name="segment_dependencies_segment_id_fkey",
        definition="FOREIGN KEY (segment_id) REFERENCES segments(id) ON DELETE CASCADE",
    ),
    Key(
        table="segment_dependencies",
        name="segment_dependencies_depends_on_id_fkey",
        definition="FOREIGN KEY (depends_on_id) REFERENCES segments(id)",
    ),
)
"""Keys that a cluster keeps. They are dropped while their tables move one after the other, and added again."""
LEFT_OUT: Final = tuple(map(_of_workspaces, (
    "api_tokens", "automations", "buckets", "custom_fields", "event_names", "exports", "groups", "imports", "segments",
    "trail_entries", "trusted_documents", "webhook_endpoints",
)))  # fmt: skip
"""Keys that a cluster does without: it would lock all tables that they connect together, so that one workspace would wait for another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One statement of the way to a distributed database, or back."""

    about: str
    sql: str


async def version(connection: Connection) -> str | None:
    """The version of Citus in this database. None without Citus."""
    found: str | None = await connection.fetchval(
        "SELECT e.extversion FROM pg_extension e WHERE e.extname = 'citus'"
    )
    return found


async def places(connection: Connection) -> Places:
    """Where each table of the schema is now."""
    rows = await connection.fetch(
        "SELECT c.relname AS name, t.citus_table_type AS type FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public' "
        "LEFT JOIN citus_tables t ON t.table_name = c.oid::regclass "
        "WHERE c.relkind = 'r' ORDER BY c.relname"
    )
    return {row["name"]: Place(row["type"]) if row["type"] in _TYPES else Place.LOCAL for row in rows}


SETTINGS: Final = {
    "citus.multi_shard_modify_mode": "sequential",  # writes to several machines must not keep a later write to a definition from running
    "citus.override_table_visibility": "off",  # the driver looks types up, which takes seconds while each table's visibility is checked
    "citus.all_modifications_commutative": "on",  # a write to a definition locks its row, not the whole table: storage/cluster/row_locks.py orders the writers
    "timezone": "UTC",
    "jit": "off",
}
"""Of the database on every machine: the settings that connections make for themselves reach only the coordinator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


async def machines(connection: Connection) -> list[Machine]:
    """The coordinator, then the other machines. Only the coordinator if the cluster has no others."""
    rows = await connection.fetch(
        "SELECT n.nodename AS host, n.nodeport AS port FROM pg_dist_node n WHERE n.noderole = 'primary' ORDER BY n.groupid"
    )
    return [Machine(**row) for row in rows]


async def is_distributed(connection: Connection) -> bool:
    """Whether the buckets are distributed. Ask only a database with Citus."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_dist_partition p "
        "WHERE p.logicalrelid = to_regclass('public.buckets') AND p.partmethod = 'h')"
    )
    return found


async def machines_of(connection: Connection, bucket_ids: Collection[int]) -> dict[int, Machine]:
    """By bucket id, the machine that has the bucket's rows. Buckets on the coordinator are left out."""
    rows = await connection.fetch(
        "SELECT b.id, n.nodename AS host, n.nodeport AS port FROM unnest($1::bigint[]) AS b (id) "
        "JOIN pg_dist_placement p ON p.shardid = get_shard_id_for_distribution_column('buckets', b.id) "
        "JOIN pg_dist_node n ON n.groupid = p.groupid AND n.noderole = 'primary' AND n.groupid <> 0",
        list(bucket_ids),
    )
    return {row["id"]: Machine(host=row["host"], port=row["port"]) for row in rows}


async def processes(connection: Connection) -> int:
    """How many connections our processes have to this database, without this one."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity a WHERE a.datname = current_database() "
        "AND a.application_name LIKE 'audience-gql%' AND a.pid <> pg_backend_pid()"
    )
    return count


async def steps_to_distribute(connection: Connection) -> list[Step]:
    """What is left to do, in order. Nothing is left when it is done."""
    now, keys = await places(connection), await _key_names(connection)
    brought_back = [name for name, place in now.items() if place is not Place.LOCAL and name not in _SPREAD]
    references = [name for name in REFERENCE if now[name] is not Place.REFERENCE]
    distributions = [name for name in DISTRIBUTED if now[name] is not Place.DISTRIBUTED]
    dropped = [key for key in (*LEFT_OUT, *(KEPT if references or distributions else ())) if key.name in keys]
    added = [key for key in KEPT if key in dropped or key.name not in keys]
    return [
        *(Step(about=f"drop the key {key.name}", sql=key.drop) for key in dropped),
        *map(_bring_back, brought_back),
        *(
            Step(about=f"copy {name} to every machine", sql=f"SELECT create_reference_table('{name}')")
            for name in references
        ),
        *(Step(about=f"distribute {name}", sql=_distribution(name)) for name in distributions),
        *(Step(about=f"add the key {key.name}", sql=key.add) for key in added),
        *await _settings(connection),
    ]


async def steps_to_undistribute(connection: Connection) -> list[Step]:
    """What is left to do on the way back to one machine, in order."""
    now, keys = await places(connection), await _key_names(connection)
    spread = [name for name in dict.fromkeys((*_SPREAD[::-1], *now)) if now[name] is not Place.LOCAL]
    dropped = [key for key in KEPT if spread and key.name in keys]
    added = [key for key in (*KEPT, *LEFT_OUT) if key in dropped or key.name not in keys]
    return [
        *(Step(about=f"drop the key {key.name}", sql=key.drop) for key in dropped),
        *map(_bring_back, spread),
        *(Step(about=f"add the key {key.name}", sql=key.add) for key in added),
    ]


_SPREAD: Final = (*REFERENCE, *DISTRIBUTED)
_TYPES: Final = {Place.REFERENCE.value, Place.DISTRIBUTED.value}


def _bring_back(name: str) -> Step:
    return Step(about=f"bring {name} back", sql=f"SELECT undistribute_table('{name}')")


def _distribution(name: str) -> str:
    if name == "buckets":
        return "SELECT create_distributed_table('buckets', 'id')"
    return f"SELECT create_distributed_table('{name}', 'bucket_id', colocate_with => 'buckets')"


async def _key_names(connection: Connection) -> set[str]:
    rows = await connection.fetch(
        "SELECT k.conname AS name FROM pg_constraint k "
        "JOIN pg_namespace n ON n.oid = k.connamespace AND n.nspname = 'public' WHERE k.contype = 'f'"
    )
    return {row["name"] for row in rows}


async def _settings(connection: Connection) -> list[Step]:
    """What is left to set. The coordinator is set last, so that an interrupted run sets the other machines again."""
    database = await connection.fetchval("SELECT quote_ident(current_database())")
    rows = await connection.fetch(
        "SELECT unnest(s.setconfig) AS setting FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase "
        "WHERE d.datname = current_database() AND s.setrole = 0"
    )
    present = {row["setting"].lower() for row in rows}
    steps = []
    for name, value in SETTINGS.items():
        if f"{name}={value}".lower() not in present:
            sql = f"ALTER DATABASE {database} SET {name} = '{value}'"
            steps.append(
                Step(
                    about=f"set {name} on the other machines",
                    sql=f"SELECT run_command_on_workers($x${sql}$x$)",
                )
            )
            steps.append(Step(about=f"set {name} on the coordinator", sql=sql))
    return steps
