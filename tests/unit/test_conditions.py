"""Entity tags and conditions, as RFC 9110 words them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.rest.conditions import Conditions, etag, none_match

VERSIONS = st.integers(1, 2**63 - 1)
# What stands between quotes in a header (RFC 9110, section 8.8.3: etagc).
TAGS = st.text([chr(n) for n in range(0x21, 0x7F) if chr(n) != '"'], max_size=12)


def conditions(if_match: str | None = None, if_none_match: str | None = None) -> Conditions:
    return Conditions.of(17, if_match=if_match, if_none_match=if_none_match)


def test_an_entity_tag_is_strong_and_names_good_and_version() -> None:
    assert etag(17, 3) == '"17-3"'


def test_without_headers_nothing_is_demanded() -> None:
    assert conditions() == Conditions(None, None, given=False)


@given(before=st.lists(TAGS, max_size=3), after=st.lists(TAGS, max_size=3), version=VERSIONS, weak=st.booleans())
def test_a_tag_is_found_wherever_it_stands_in_the_list(
    before: list[str], after: list[str], version: int, *, weak: bool
) -> None:
    current = etag(17, version)
    others = [tag for tag in (*before, *after) if f'"{tag}"' != current]
    listed = [f'"{tag}"' for tag in before]
    header = ", ".join([*listed, f"W/{current}" if weak else current, *(f'W/"{tag}"' for tag in after)])
    assert none_match(header, current)
    assert version in (conditions(if_none_match=header).not_versions or [])
    strong = not weak or current in listed
    assert (version in (conditions(if_match=header).only_versions or [])) is strong
    without = ", ".join(f'"{tag}"' for tag in others)
    assert not none_match(without, current)
    assert version not in (conditions(if_match=without).only_versions or [])


@given(goods_id=st.integers(1, 2**63 - 1).filter(lambda n: n != 17), version=VERSIONS)
def test_the_tag_of_another_good_never_matches(goods_id: int, version: int) -> None:
    header = etag(goods_id, version)
    assert conditions(if_match=header).only_versions == []
    assert conditions(if_none_match=header).not_versions == []
    assert not none_match(header, etag(17, version))


@given(header=st.text())
@example(header='"17-99999999999999999999"')
@example(header='"17-9223372036854775808"')
@example(header='"017-3"')
@example(header='"17-03"')
@example(header='"17-٣"')
@example(header='"')
@example(header='""')
def test_whatever_a_header_holds_gives_versions_that_the_database_can_take(header: str) -> None:
    read = conditions(if_match=header, if_none_match=header)
    for versions in (read.only_versions, read.not_versions):
        assert all(0 < version < 2**63 for version in versions or [])
        assert all(f'"17-{version}"' in header for version in versions or [])
    assert read.given


@pytest.mark.parametrize("header", ["*", " * "])
def test_an_asterisk_is_any_version(header: str) -> None:
    assert conditions(if_match=header).only_versions is None
    assert conditions(if_match=header).given
    assert conditions(if_none_match=header).only_versions == []
    assert none_match(header, '"17-3"')


@pytest.mark.parametrize("header", ["", "garbage", '"17-3', "17-3", "W/17-3", '"17 -3"', '"-3"', '"17-"', '"17-0"'])
def test_what_is_no_tag_of_the_good_allows_no_version(header: str) -> None:
    assert conditions(if_match=header) == Conditions([], None, given=True)
    assert not none_match(header, '"17-3"')


def test_if_none_match_alone_is_not_the_condition_that_may_be_required() -> None:
    assert not conditions(if_none_match='"17-3"').given
