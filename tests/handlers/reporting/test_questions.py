"""Questions: which parameters they have, whom they ask for, and what in them is no parameter."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.reporting.sources.duck_sql import fault, file_names, rooted
from handlers.reporting.sources.questions import ADDRESS, questions, replaced


@pytest.mark.parametrize(
    "text",
    [
        "SELECT '$company'",
        "SELECT 1 -- $company",
        "SELECT 1 /* $company\n */",
        'SELECT "$company"',
        "SELECT $$ $company $$",
        "SELECT $x$ $company $y$ $x$",
        "SELECT 'it''s $company'",
        r"SELECT E'it\'s $company'",
        "SELECT a$company",
        "SELECT $1",
    ],
)
def test_what_only_looks_like_a_parameter_is_none(text: str) -> None:
    (question,) = questions(text, {})
    assert question.parameters == set()
    assert replaced(text, lambda name: "!") == text


def test_parameters_are_found_wherever_they_stand() -> None:
    (question,) = questions("SELECT $date::text||'x', ($companies) FROM t WHERE a=$date", {})
    assert question.parameters == {"date", "companies"}
    assert not question.is_for_each
    assert replaced("a=$date AND b='$date'", str.upper) == "a=DATE AND b='$date'"


def test_a_question_for_one_company_is_asked_for_each() -> None:
    facts, table = questions("SELECT $companies", {"Routes": "SELECT $company"})
    assert (facts.is_for_each, table.is_for_each) == (False, True)
    assert (facts.label, table.label) == ("source.facts", 'source.tables["Routes"]')


def test_in_an_address_every_dollar_counts() -> None:
    (question,) = questions("/it's--$company", {}, ADDRESS)
    assert question.parameters == {"company"}


@pytest.mark.parametrize(
    ("text", "said"), [("$Date", "$Date is no parameter"), ("$company $companies", "use one")]
)
def test_parameters_that_cannot_be_are_named(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"^reports\.source\.tables\.A: ") as caught:
        questions("SELECT 1", {"A": text})
    assert said in str(caught.value)


@given(st.text("'\"$-/*abcdate \n\\`(),", max_size=60))
def test_any_text_at_all_can_be_read(text: str) -> None:
    assert replaced(text, lambda name: f"${name}") == text
    assert isinstance(file_names(text), list)
    assert fault(text) is not None
    if "'" not in text:
        assert rooted(text, Path("/x")) == text


@pytest.mark.parametrize(
    ("sql", "made"),
    [
        ("FROM 'a.csv'", "FROM '/x/a.csv'"),
        ("FROM '/a.csv'", "FROM '/a.csv'"),
        ("FROM 's3://b/a.csv'", "FROM 's3://b/a.csv'"),
        ("FROM t JOIN 'a.csv' USING (b)", "FROM t JOIN '/x/a.csv' USING (b)"),
        ("SELECT 'a.csv' FROM t", "SELECT 'a.csv' FROM t"),
        ("FROM READ_CSV( /* x */ 'a.csv', sep = ';')", "FROM READ_CSV( /* x */ '/x/a.csv', sep = ';')"),
        ("FROM read_csv(['a', 'b'], nullstr := 'NA')", "FROM read_csv(['/x/a', '/x/b'], nullstr := 'NA')"),
        ("FROM read_csv('a/' || 'b') WHERE x = 'c'", "FROM read_csv('/x/a/' || 'b') WHERE x = 'c'"),
        ("-- FROM 'a.csv'\nFROM 'b'", "-- FROM 'a.csv'\nFROM '/x/b'"),
        ("SELECT upper('a.csv')", "SELECT upper('a.csv')"),
    ],
)
def test_names_of_files_are_made_whole_and_nothing_else_is(sql: str, made: str) -> None:
    assert rooted(sql, Path("/x")) == made


@pytest.mark.parametrize(
    "sql", ["SELECT 1", " -- a\n(select 1)", "/* b */ WITH a AS (SELECT 1) FROM a", "FROM 'x'"]
)
def test_a_query_may_begin_in_these_ways(sql: str) -> None:
    assert fault(sql) is None
