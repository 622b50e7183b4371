"""Postgres and Valkey from wheels, kept running next to the process that needs them: for the demo, `up` and the tests.

    with Servers.start(default_state_folder()) as servers:
        settings = Settings(**asdict(servers.addresses), …)

`Servers.start` makes what is missing (folder, passwords, database), refuses a folder that another process uses, and
returns when both servers answer. From then on a server that dies is started again, on the same port. Both end with
`stop()`, at the end of the `with` block, or when this process dies, however it dies. `Servers.throwaway()` is the same
in a temporary folder that goes away at the end, without the promise that data survive a power cut.

Everything that can be expected to go wrong is an EmbeddedError whose message tells the person at the terminal what to do.

It must not be needed in production: nothing but the command line and the tests imports it, and it imports nothing of ours.
"""

from audience_gql.embedded.errors import EmbeddedError
from audience_gql.embedded.servers import ServerAddresses, Servers
from audience_gql.embedded.state import default_state_folder

__all__ = ["EmbeddedError", "ServerAddresses", "Servers", "default_state_folder"]
