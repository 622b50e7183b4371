"""What the demo's table says of the last minute."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from audience_gql.demo.audience_feed import Heard, State
from audience_gql.demo.scoreboard import Scoreboard


def printed(board: Scoreboard, now: float) -> list[str]:
    output = StringIO()
    Console(file=output, width=120).print(board.table(now))
    return output.getvalue().splitlines()


def drawn(board: Scoreboard, now: float) -> list[list[str]]:
    """The cells of each row, without the titles."""
    rows = [line.strip("│").split("│") for line in printed(board, now) if line.startswith("│")]
    return [[cell.strip() for cell in row] for row in rows[1:]]


def known(sizes: dict[str, int], runs: int = 0) -> State:
    return State(sizes=sizes, summary='When somebody enters "Lost": add them to "Win back".', runs=runs)


def heard(name: str, *, has_entered: bool, cause: str = "EVENT", external_id: str | None = None) -> Heard:
    return Heard(name=name, has_entered=has_entered, cause=cause, external_id=external_id)


def test_it_counts_who_came_and_went_and_how_long_it_took():
    board = Scoreboard()
    board.state = known({"Active": 1234, "Lost": 7})
    board.purchased("00042", "12.77", 100.0)
    board.changed(heard("Active", has_entered=True, external_id="00042"), 100.012)
    board.changed(heard("Lost", has_entered=False, external_id="00042"), 100.014)
    board.changed(heard("Active", has_entered=False, cause="CLOCK", external_id="00007"), 101.0)

    assert drawn(board, 110.0) == [
        ["Active", "1,234", "1", "1", "12 ms"],
        ["Lost", "7", "0", "1", "14 ms"],
        ["in the last minute", "", "1", "2", "13 ms"],
    ]
    assert "1 entered, 2 left, commit to socket 13 ms; Active 1,234, Lost 7; 0 runs" in board.line(110.0)


def test_a_minute_later_it_is_forgotten():
    board = Scoreboard()
    board.state = known({"Active": 1})
    board.changed(heard("Active", has_entered=True), 100.0)

    assert drawn(board, 160.0)[0] == ["Active", "1", "1", "0", ""]
    assert drawn(board, 160.1)[0] == ["Active", "1", "0", "0", ""]


def test_the_first_members_of_a_segment_have_not_moved():
    board = Scoreboard()
    board.state = known({"Active": 1})
    board.changed(heard("Active", has_entered=True, cause="DEFINITION"), 100.0)

    assert drawn(board, 101.0)[0] == ["Active", "1", "0", "0", ""]


def test_the_clocks_doing_has_no_latency_although_she_has_just_bought():
    board = Scoreboard()
    board.state = known({"Lost": 1})
    board.purchased("00042", "12.77", 100.0)
    board.changed(heard("Lost", has_entered=True, cause="CLOCK", external_id="00042"), 130.0)

    assert drawn(board, 131.0)[0] == ["Lost", "1", "1", "0", ""]


def test_the_last_purchases_are_told_with_what_followed():
    board = Scoreboard()
    for customer in ("1", "2", "3", "4", "5"):
        board.purchased(customer, "9.99", 100.0)
    board.changed(heard("Active", has_entered=True, external_id="4"), 100.1)
    board.changed(heard("Loyal", has_entered=True, external_id="4"), 100.1)
    board.changed(heard("Lost", has_entered=False, external_id="4"), 100.1)

    assert [line.strip() for line in printed(board, 101.0) if "customer" in line] == [
        "customer 2 spent 9.99 dollars",
        "customer 3 spent 9.99 dollars",
        "customer 4 spent 9.99 dollars, entered Active and Loyal, left Lost",
        "customer 5 spent 9.99 dollars",
    ]


def test_the_automation_is_told_with_its_runs_and_its_group():
    board = Scoreboard()
    board.state = known({"Lost": 7, "Win back": 1234}, runs=1240)
    board.changed(heard("Win back", has_entered=True, cause="MANUAL", external_id="00042"), 100.0)

    assert drawn(board, 101.0)[1] == ["Win back", "1,234", "1", "0", ""]
    assert ' automation: 1,240 runs. When somebody enters "Lost": add them to "Win back".' in printed(
        board, 101.0
    )
    assert board.line(101.0).endswith("Lost 7, Win back 1,234; 1,240 runs")


def test_without_the_automation_its_line_stays_blank():
    board = Scoreboard()
    board.state = State(sizes={"Lost": 7}, summary=None, runs=0)

    assert printed(board, 101.0)[-1].strip() == ""
