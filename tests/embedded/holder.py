"""A process that owns servers, for tests that kill it: prints their addresses as JSON, then waits for the end of its input."""

import json
import sys
from pathlib import Path

from audience_gql.embedded import EmbeddedError, Servers

try:
    servers = Servers.start(Path(sys.argv[1]))
except EmbeddedError as error:
    print(json.dumps({"error": str(error), "kind": type(error).__name__}), flush=True)
    sys.exit(1)
with servers:
    addresses = servers.addresses
    print(json.dumps({"database_url": addresses.database_url, "redis_url": addresses.redis_url}), flush=True)
    sys.stdin.read()
