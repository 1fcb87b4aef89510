"""A secret shows itself to nobody who does not ask for it."""

import json
import logging
import pickle
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from daemon.secret import Secret


class Holder(BaseModel):
    url: Secret


def test_a_secret_prints_as_stars() -> None:
    secret = Secret("hunter2")
    assert [str(secret), repr(secret), f"{secret}", f"{secret:>9}", f"{secret!s}"] == ["***"] * 5
    assert "hunter2" not in repr({"a": [secret]})


def test_a_secret_reveals_itself_on_request() -> None:
    assert Secret("hunter2").reveal() == "hunter2"


def test_secrets_are_equal_to_each_other_and_to_no_text() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_an_empty_secret_is_false() -> None:
    assert not Secret("")
    assert Secret("a")


def test_a_secret_is_neither_pickled_nor_given_to_json() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret("hunter2"))
    with pytest.raises(TypeError):
        json.dumps(Secret("hunter2"))


def test_a_log_line_of_a_secret_shows_stars(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("token %s %r", Secret("hunter2"), Secret("hunter2"))
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("given", ["hunter2", Secret("hunter2")])
def test_a_model_takes_a_secret_or_makes_one_of_a_text(given: Any) -> None:
    holder = Holder(url=given)
    assert holder.url == Secret("hunter2")
    assert holder.model_dump() == {"url": "***"}
    assert holder.model_dump_json() == '{"url":"***"}'
    assert "hunter2" not in repr(holder)


def test_a_model_refuses_what_is_no_text() -> None:
    with pytest.raises(ValidationError, match="a secret is a text"):
        Holder(url=12)  # type: ignore[arg-type]


def test_a_schema_asks_for_a_string() -> None:
    assert Holder.model_json_schema()["properties"]["url"]["type"] == "string"
