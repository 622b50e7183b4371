"""Runs Postgres and Valkey from wheels next to the process that needs them: for the demo, `up` and the tests.

    with Servers.start(default_state_folder()) as servers:
        settings = Settings(**asdict(servers.addresses), …)

`Servers.start` creates what is missing (folder, passwords, database), refuses a folder that another process uses, and
returns when both servers answer. After that, it restarts a server that dies, on the same port. Both servers end with
`stop()`, at the end of the `with` block, or when this process dies in any way. `Servers.throwaway()` does the same in a
temporary folder that it deletes at the end. Its data need not survive a power cut.

Every expected failure is an EmbeddedError whose message tells the person at the terminal what to do.

Production must not need this package: only the command line and the tests import it. It imports nothing else of this project.
"""

from audience_gql.embedded.errors import EmbeddedError
from audience_gql.embedded.servers import ServerAddresses, Servers
from audience_gql.embedded.state import default_state_folder

__all__ = ["EmbeddedError", "ServerAddresses", "Servers", "default_state_folder"]
