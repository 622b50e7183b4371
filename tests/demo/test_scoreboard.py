"""What the demo's table says of the last minute."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from audience_gql.demo.audience_feed import Acting, Heard, State
from audience_gql.demo.scoreboard import Scoreboard


def printed(board: Scoreboard, now: float) -> list[str]:
    output = StringIO()
    Console(file=output, width=120).print(board.table(now))
    return output.getvalue().splitlines()


def drawn(board: Scoreboard, now: float) -> list[list[str]]:
    """The cells of each row, without the titles."""
    rows = [line.strip("│").split("│") for line in printed(board, now) if line.startswith("│")]
    return [[cell.strip() for cell in row] for row in rows[1:]]


WIN_BACK = 'When somebody enters "Lost": add them to "Win back".'


def known(sizes: dict[str, int], runs: int = 0, filling: int = 0) -> State:
    automation = Acting(name="Win back", summary=WIN_BACK, runs=runs)
    return State(sizes=sizes, filling=filling, automations=(automation,))


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
    told = "1 entered, 2 left, 1 of them by the clock, commit to socket 13 ms; Active 1,234, Lost 7; 0 runs"
    assert told in board.line(110.0)
    assert " by the clock alone, without any purchase: 1" in printed(board, 110.0)


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
    board.state = known({})
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
    assert f" automation Win back: 1,240 runs. {WIN_BACK}" in printed(board, 101.0)
    assert board.line(101.0).endswith("Lost 7, Win back 1,234; 1,240 runs")


def test_several_automations_have_a_line_each():
    board = Scoreboard()
    thanks = Acting(name="Thanks", summary="Thank them.", runs=3)
    board.state = State(sizes={"Lost": 7}, filling=0, automations=(*known({}, runs=2).automations, thanks))

    lines = [line for line in printed(board, 101.0) if line.startswith(" automation")]
    assert [line.split(".")[0] for line in lines] == [
        " automation Win back: 2 runs",
        " automation Thanks: 3 runs",
    ]
    assert board.line(101.0).endswith("Lost 7; 5 runs")


def test_it_begins_once_the_segments_have_their_members_and_then_stays():
    board = Scoreboard()
    assert printed(board, 100.0) == [" Connecting to the websocket"]

    board.state = known({"Lost": 1}, filling=2)
    assert printed(board, 101.0) == [" Finding the members of the segments: 2 to go"]
    assert board.line(101.0) == "Finding the members of the segments: 2 to go"

    board.state = known({"Lost": 7})
    assert drawn(board, 102.0)[0] == ["Lost", "7", "0", "0", ""]

    board.state = known({"Lost": 7, "New": 0}, filling=1)
    assert drawn(board, 103.0)[1] == ["New", "0", "0", "0", ""]
