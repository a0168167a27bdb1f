"""Entity tags and the conditions that requests put on them (RFC 9110, sections 8.8.3 and 13)."""

import re
from dataclasses import dataclass

_TAG = re.compile(r'(W/)?"([^"]*)"')
_VERSION = re.compile(r"([1-9][0-9]{0,18})-([1-9][0-9]{0,18})")


def etag(goods_id: int, version: int) -> str:
    """The strong entity tag of one version of one good."""
    return f'"{goods_id}-{version}"'


def none_match(header: str, current: str) -> bool:
    """Whether If-None-Match names `current`: then a GET is answered with 304. Compares weakly, as RFC 9110 says."""
    if header.strip() == "*":
        return True
    return any(f'"{tag}"' == current for _, tag in _TAG.findall(header))


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a change demands of the good's version. None: nothing. `given`: whether If-Match was sent at all."""

    only_versions: list[int] | None = None
    not_versions: list[int] | None = None
    given: bool = False

    @classmethod
    def of(cls, goods_id: int, *, if_match: str | None, if_none_match: str | None) -> "Conditions":
        """Read the two headers. A weak tag, or one of another good, never matches."""
        only: list[int] | None = None
        if if_match is not None and if_match.strip() != "*":
            only = _versions(goods_id, if_match, weak=False)
        if if_none_match is not None and if_none_match.strip() == "*":
            only = []  # the good exists or the answer is 404: no version can satisfy this
        denied = None if if_none_match is None else _versions(goods_id, if_none_match, weak=True)
        return cls(only, denied, given=if_match is not None)


def _versions(goods_id: int, header: str, *, weak: bool) -> list[int]:
    found = []
    for is_weak, tag in _TAG.findall(header):
        parts = _VERSION.fullmatch(tag)
        if parts and int(parts[1]) == goods_id and int(parts[2]) < 2**63 and (weak or not is_weak):
            found.append(int(parts[2]))
    return found
