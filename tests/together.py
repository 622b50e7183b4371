"""Decides which tests of a run share a process: tests that share something expensive to start, or must not run at the same time.

Groups are listed here by file: xdist writes its own groups into the names of tests, and pytest 9.2 no longer allows changing names.
"""

from __future__ import annotations

from typing import Final

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

_SHARES: Final = {
    "tests/api/test_answers.py": "its own web process",
    "tests/api/test_cancelled_statements.py": "a patient and a hasty web process",
    "tests/api/test_clients.py": "programs with clients",
    "tests/api/test_downloading.py": "a file to download",
    "tests/api/test_fairness.py": "a narrow web process",
    "tests/api/test_forgotten.py": "product",
    "tests/api/test_half_sent.py": "a hasty web process",
    "tests/api/test_purchase_log.py": "the purchase log",
    "tests/api/test_replica.py": "a standby",
    "tests/api/test_signing_in.py": "a web process to sign in to",
    "tests/api/test_statement_counts.py": "a full workspace",
    "tests/benchmarks/test_generator.py": "a generated audience",
    "tests/browser/test_console.py": "product",
    "tests/browser/test_console_administration.py": "product",
    "tests/browser/test_console_answers.py": "product",
    "tests/browser/test_console_documents.py": "product",
    "tests/browser/test_console_imports.py": "product",
    "tests/browser/test_console_people.py": "product",
    "tests/browser/test_console_segments.py": "product",
    "tests/browser/test_every_page.py": "product",
    "tests/browser/test_playground.py": "product",
    "tests/browser/test_starter.py": "product",
    "tests/clients/test_generated_clients.py": "a front end",
    "tests/demo/test_rhythm.py": "a round of the demo",
    "tests/demo/test_audience_feed.py": "product",
    "tests/embedded/test_promises.py": "servers to look at",
    "tests/examples/test_listener.py": "product",
    "tests/examples/test_webhook_receiver.py": "product",
    "tests/faults/test_resume.py": "storm",
    "tests/fuzz/test_storm.py": "storm",
    "tests/storage/test_distribution_postgres.py": "oldest Postgres",
    "tests/telemetry/test_logs.py": "observed product",
    "tests/telemetry/test_metrics.py": "observed product",
    "tests/telemetry/test_traces.py": "observed product",
    "tests/test_newcomer.py": "newcomer",
}
_LONGEST: Final = ("newcomer", "storm", "product", "oldest Postgres")
"""Groups that take a minute or more. They go first, so that no process runs one alone at the end."""
_WAITING: Final = ("tests/deployment/", "tests/embedded/", "tests/faults/")
"""Tests that mostly wait for servers that start or end. One process at a time runs them, beside others that keep the cores busy."""


class Together(LoadScopeScheduling):  # type: ignore[misc]  # xdist publishes no types
    """Sends each test to a process with room. All tests of one group go to the process of the group's first test."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return _SHARES.get(file, nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        self.workqueue.move_to_end(self._next_for(node), last=False)
        super()._assign_work_unit(node)

    def _next_for(self, node: WorkerController) -> str:
        longest = next((group for group in _LONGEST if group in self.workqueue), None)
        if longest is not None:
            return longest
        may_wait = not any(
            scope.startswith(_WAITING) and not all(tests.values())
            for other, scopes in self.assigned_work.items()
            if other is not node
            for scope, tests in scopes.items()
        )
        fitting = (scope for scope in self.workqueue if scope.startswith(_WAITING) is may_wait)
        return next(fitting, next(iter(self.workqueue)))
