"""Parameters may have names in a .sql file; the driver gets numbers."""

from __future__ import annotations

import pytest

from audience_gql.storage.statements import NamedStatement

NAMED = NamedStatement(
    "SELECT :person::bigint -- a note:person\nFROM t WHERE a = :at AND b = :person AND c = 'x:y' AND d::text = ':at'"
)


def test_each_name_becomes_one_number_and_nothing_else_does():
    assert NAMED.text == (
        "SELECT $1::bigint -- a note:person\nFROM t WHERE a = $2 AND b = $1 AND c = 'x:y' AND d::text = ':at'"
    )
    assert NAMED.arguments(at="then", person=7) == [7, "then"]


def test_a_numbered_statement_stays_as_it_is():
    numbered = NamedStatement("SELECT $1::text")

    assert (numbered.text, numbered.names) == ("SELECT $1::text", ())


@pytest.mark.parametrize("values", [{"person": 7}, {"person": 7, "at": 1, "more": 2}])
def test_each_parameter_has_exactly_one_value(values):
    with pytest.raises(KeyError):
        NAMED.arguments(**values)
