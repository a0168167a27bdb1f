"""Page tokens: what goes in comes out, and nothing else is a token."""

import base64
import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.errors.domain import InvalidInput
from app.rest import cursors

SCOPE = cursors.fingerprint("a list")
STORABLE = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=200)


@given(key=st.one_of(STORABLE, st.integers(0, 2**63 - 1)), goods_id=st.integers(1, 2**63 - 1))
@example(key="\U0010ffff" * 200, goods_id=2**63 - 1)
@example(key="\x01" * 200, goods_id=1)
@example(key='"\\' * 100, goods_id=1)
def test_a_position_comes_back_from_its_token(key: str | int, goods_id: int) -> None:
    token = cursors.encode(SCOPE, key, goods_id)
    assert re.fullmatch(r"[A-Za-z0-9._~-]+", token)
    assert cursors.decode(token, SCOPE, length=2) == [key, goods_id]


@given(key=STORABLE, length=st.integers(0, 5).filter(lambda length: length != 1))
def test_a_token_of_another_length_is_refused(key: str, length: int) -> None:
    with pytest.raises(InvalidInput):
        cursors.decode(cursors.encode(SCOPE, key), SCOPE, length=length)


@given(parts=st.lists(st.text(max_size=5) | st.none() | st.integers(), max_size=4))
def test_a_token_of_another_list_says_so(parts: list[object]) -> None:
    other = cursors.fingerprint(*parts)
    with pytest.raises(InvalidInput) as caught:
        cursors.decode(cursors.encode(other, 1), SCOPE, length=1)
    (fault,) = caught.value.faults
    assert (fault.kind, fault.place) == ("parameter", "after")
    assert "other filters or another order" in fault.detail


@given(text=st.text())
@example(text="")
@example(text="=")
@example(text="é")
@example(text="\ud800")
@example(text="W10")
@example(text="A" * 100_000)
def test_arbitrary_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        cursors.decode(text, SCOPE, length=1)


@given(raw=st.binary())
@example(raw=b"[" * 1400)
@example(raw=b'{"a":1}')
@example(raw=b"1" * 1400)
@example(raw=b"NaN")
@example(raw="[1]".encode("utf-16"))
def test_arbitrary_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(InvalidInput):
        cursors.decode(base64.urlsafe_b64encode(raw).rstrip(b"=").decode(), SCOPE, length=1)


@given(
    first=st.lists(st.text(max_size=3) | st.none(), min_size=2, max_size=5),
    second=st.lists(st.text(max_size=3) | st.none(), min_size=2, max_size=5),
)
@example(first=["a", "b"], second=["ab", ""])
@example(first=[None, ""], second=["None", ""])
def test_fingerprints_are_equal_for_equal_lists_only(first: list[object], second: list[object]) -> None:
    assert (cursors.fingerprint(*first) == cursors.fingerprint(*second)) is (first == second)


def test_what_is_in_a_token_may_be_anything_and_is_left_to_the_list() -> None:
    raw = json.dumps([SCOPE, {"a": [None, 1.5]}]).encode()
    token = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    assert cursors.decode(token, SCOPE, length=1) == [{"a": [None, 1.5]}]
