"""The benchmarks' growth compares like with like: a step's cost, and its cost for each membership that it changed."""

from __future__ import annotations

from benchmarks.engine import derived
from benchmarks.engine.bench import Figure
from benchmarks.engine.results import Run


def test_growth_of_a_step_and_of_each_membership_that_it_changed() -> None:
    def run(people: int, took: float, changed: float) -> Run:
        values = {"10 changed, median": took, "10 changed, changed memberships per person": changed}
        return Run(
            people=people,
            events=20 * people,
            measurement="b",
            command="",
            measured_on="",
            environment={},
            figures=[
                Figure(measurement="b", what=what, value=value, unit="") for what, value in values.items()
            ],
        )

    smallest, between, largest = run(100, 2, 3), run(300, 50, 1), run(1000, 3, 6)
    found = derived.figures([between, largest, smallest])
    assert {figure.what: (figure.value, figure.is_met) for figure in found} == {
        "10 changed, 1 000 : 100 people": (1.5, True),
        "10 changed, per changed membership, 1 000 : 100 people": (0.75, None),
    }
    assert derived.figures([smallest]) == []
