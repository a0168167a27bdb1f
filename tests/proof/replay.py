"""What the change feed says the goods are: its entries applied from nothing, and nothing else."""

from collections.abc import Iterable, Mapping
from typing import Any


def replayed(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The goods after these entries, by rising id. Raises AssertionError where an entry does not fit what is there."""
    goods: dict[int, dict[str, Any]] = {}
    versions: dict[int, int] = {}
    for entry in entries:
        goods_id = entry["goods_id"]
        assert entry["version"] == versions.get(goods_id, 0) + 1, "versions of one good ascend by one"
        versions[goods_id] = entry["version"]
        assert entry["before"] == goods.pop(goods_id, None), "what was there is what the entry found"
        assert (entry["before"] is None) == (entry["operation"] == "create")
        assert (entry["after"] is None) == (entry["operation"] == "delete")
        if entry["after"] is not None:
            assert (entry["after"]["id"], entry["after"]["version"]) == (goods_id, entry["version"])
            goods[goods_id] = entry["after"]
    return [good for _, good in sorted(goods.items())]
