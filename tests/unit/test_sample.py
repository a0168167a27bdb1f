import csv
import itertools
from importlib.resources import files
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from app.goods.schemas.goods import GoodsCreate
from data.sample import SampleGood, generate, read_catalogue, write_catalogue

GOOD = TypeAdapter(GoodsCreate)


@pytest.fixture(scope="module")
def catalogue() -> list[SampleGood]:
    return list(read_catalogue())


def test_every_good_of_the_catalogue_obeys_the_rules_for_goods(catalogue: list[SampleGood]) -> None:
    for good in catalogue:
        fields = good._asdict()
        assert GOOD.validate_python(fields).model_dump() == fields
        assert good.price.as_tuple().exponent == -2


def test_far_away_goods_obey_them_too() -> None:
    for good in itertools.islice(generate(200_000), 199_000, None):
        fields = good._asdict()
        assert GOOD.validate_python(fields).model_dump() == fields


def test_the_catalogue_is_a_store(catalogue: list[SampleGood]) -> None:
    assert 900 <= len(catalogue) <= 1200
    assert len({good.category for good in catalogue}) >= 20
    assert sum("lantern" in good.name.lower() for good in catalogue) >= 10
    assert any("/" in good.sku for good in catalogue)
    assert any(not good.name.isascii() for good in catalogue)
    assert any(good.stock == 0 for good in catalogue)
    assert any(0 < good.stock < 5 for good in catalogue)


def test_names_and_skus_of_the_catalogue_are_unique(catalogue: list[SampleGood]) -> None:
    assert len({good.sku for good in catalogue}) == len({good.name for good in catalogue}) == len(catalogue)


def test_the_shipped_file_is_what_the_vocabulary_gives(tmp_path: Path) -> None:
    write_catalogue(tmp_path / "fresh.csv")
    assert (tmp_path / "fresh.csv").read_text(encoding="utf-8") == files("data").joinpath("sample_goods.csv").read_text(
        encoding="utf-8"
    )


def test_the_file_has_a_header_that_names_the_fields() -> None:
    text = files("data").joinpath("sample_goods.csv").read_text(encoding="utf-8")
    assert next(csv.reader([text.splitlines()[0]])) == ["sku", "name", "description", "category", "price", "stock"]


def test_skus_are_unique_in_a_large_catalogue() -> None:
    assert len({good.sku for good in generate(200_000)}) == 200_000


def test_a_smaller_catalogue_is_the_beginning_of_a_larger_one() -> None:
    assert list(generate(10)) == list(itertools.islice(generate(5_000), 10))


def test_the_catalogue_is_the_beginning_of_a_larger_one(catalogue: list[SampleGood]) -> None:
    assert list(itertools.islice(generate(2_000), len(catalogue))) == catalogue


def test_the_same_seed_gives_the_same_goods_and_another_seed_others() -> None:
    assert list(generate(3_000)) == list(generate(3_000))
    assert list(generate(3_000, seed=2)) != list(generate(3_000))
