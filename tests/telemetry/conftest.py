"""The whole product with everything on that tells operators what it does. It is started once for the module."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

from audience_gql.embedded.ports import free_port
from tests.patience import PATIENCE_SECONDS, until
from tests.product import Product, started
from tests.telemetry.collector import Collector, collecting


@dataclass(frozen=True)
class Observed:
    """A started product, and where it tells what it does."""

    product: Product
    worker_metrics: str
    collector: Collector
    webhook_port: int
    """Webhooks may go to this port of the machine itself."""

    async def ask(self, query: str, **variables: Any) -> Any:
        """The data of an operation, which must have no errors."""
        async with httpx.AsyncClient(base_url=self.product.origin, timeout=PATIENCE_SECONDS) as client:
            answer = await client.post(
                "/graphql",
                json={"query": query, "variables": variables},
                headers={"authorization": f"Bearer {self.product.token}"},
            )
        assert "errors" not in answer.json(), answer.text
        return answer.json()["data"]

    async def until(self, wanted: object, query: str, **variables: Any) -> None:
        """Ask until the answer is the wanted one."""
        found: object = None

        async def is_wanted() -> bool:
            nonlocal found
            found = await self.ask(query, **variables)
            return found == wanted

        try:
            await until(is_wanted)
        except TimeoutError:
            pytest.fail(f"still {found}")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def observed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Observed]:
    port, webhook_port = free_port(), free_port()
    settings = {
        "AUDIENCE_WORKER_METRICS_PORT": str(port),
        "AUDIENCE_LOG_FORMAT": "json",
        "AUDIENCE_LOG_LEVEL": "DEBUG",
    }
    async with collecting() as collector:
        settings |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "AUDIENCE_WEBHOOK_NETWORKS": "127.0.0.0/8",
            "AUDIENCE_WEBHOOK_PORTS": str(webhook_port),
            "AUDIENCE_WEBHOOK_HTTP": "1",
        }
        async with started(tmp_path_factory.mktemp("observed"), **settings) as product:
            yield Observed(product, f"http://127.0.0.1:{port}/metrics", collector, webhook_port)
