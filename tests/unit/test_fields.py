"""The rules for single fields: what is accepted is kept exactly, and everything else is refused."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from app.goods.schemas.fields import MAX_PRICE, MAX_STOCK, Moment, Name, Price, Sku, Stock, integer_text, price
from app.goods.schemas.goods import GoodsCreate, GoodsPatch, GoodsReplace, new_sku

PRICE: TypeAdapter[Decimal] = TypeAdapter(Price)
SKU: TypeAdapter[str] = TypeAdapter(Sku)
STOCK: TypeAdapter[int] = TypeAdapter(Stock)
MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)
CENTS = st.integers(0, int(MAX_PRICE * 100))


def refused(adapter: TypeAdapter[Any], value: object) -> bool:
    """Whether the value is refused, without being repeated."""
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        (entry,) = error.errors()
        assert len(str(value)) < 4 or str(value) not in entry["msg"]
        return True
    return False


@given(cents=CENTS, decimals=st.integers(0, 2), zeros=st.integers(0, 10))
def test_a_price_with_two_decimals_round_trips_exactly(cents: int, decimals: int, zeros: int) -> None:
    exact = Decimal(cents).scaleb(-2)
    number = exact if exact != exact.to_integral_value() else exact.quantize(Decimal(1).scaleb(-decimals))
    whole, _, fraction = f"{number:f}".partition(".")
    text = whole.rjust(min(10, len(whole) + zeros), "0") + ("." + fraction if fraction else "")
    for sent in (text, number, exact):
        assert PRICE.validate_python(sent) == exact
        assert f"{PRICE.validate_python(sent):.2f}" == f"{exact:.2f}"


@given(units=st.integers(0, int(MAX_PRICE)))
def test_a_whole_price_may_be_an_integer(units: int) -> None:
    assert PRICE.validate_python(units) == units


@given(number=st.decimals(allow_nan=True, allow_infinity=True))
@example(number=Decimal("1E+999999"))
@example(number=Decimal("1E-999999"))
@example(number=Decimal("0E+999999"))
@example(number=Decimal("-0.00"))
@example(number=Decimal("9999999999.995"))
@example(number=Decimal("sNaN"))
def test_a_number_is_a_price_exactly_if_it_needs_no_rounding(number: Decimal) -> None:
    exponent = number.as_tuple().exponent
    fits = isinstance(exponent, int) and -2 <= exponent <= 10 and 0 <= number <= MAX_PRICE
    if fits:
        assert PRICE.validate_python(number) == number
        assert not PRICE.validate_python(number).is_signed()
    else:
        assert refused(PRICE, number)


@given(text=st.one_of(st.text(), st.text("0123456789.,eE+-_ ٠१\n", max_size=16), st.floats().map(str)))
@example(text="1\n")
@example(text="NaN")
@example(text="1_0")
@example(text="00000000001")
def test_a_text_is_a_price_only_in_plain_digits(text: str) -> None:
    whole, dot, fraction = text.partition(".")
    plain = all(part.isascii() and part.isdigit() for part in (whole, fraction or ("" if dot else "0")))
    if plain and 1 <= len(whole) <= 10 and len(fraction) <= 2:
        assert PRICE.validate_python(text) == Decimal(text)
    else:
        assert refused(PRICE, text)


@pytest.mark.parametrize("value", [True, False, None, 1.5, 0.0, b"1", [], {}, -1, MAX_PRICE + 1, 10**4000])
def test_nothing_else_is_a_price(value: object) -> None:
    with pytest.raises(ValueError, match="must be a decimal number from 0 to"):
        price(value)


@given(text=st.text(max_size=80))
@example(text=" a ")
@example(text="a/b")
@example(text="\u00a0")
@example(text="a\u2028b")
def test_an_accepted_sku_can_be_a_path_and_is_accepted_again_as_it_is(text: str) -> None:
    try:
        sku = SKU.validate_python(text)
    except ValidationError:
        return
    assert sku == text.strip()
    assert 1 <= len(sku) <= 64
    assert sku.isprintable()
    assert not sku.startswith("/")
    assert not sku.endswith("/")
    assert all(segment not in ("", ".", "..") for segment in sku.split("/"))
    assert SKU.validate_python(sku) == sku


@given(parts=st.lists(st.text("abcXYZ019-_ .é日🏮%", min_size=3, max_size=8), min_size=1, max_size=5))
def test_printable_parts_between_slashes_are_a_sku(parts: list[str]) -> None:
    parts = [f"x{part}x" for part in parts]
    assert SKU.validate_python("/".join(parts)) == "/".join(parts)


def test_given_skus_obey_the_rule() -> None:
    made = {new_sku() for _ in range(1000)}
    assert len(made) == 1000
    assert all(SKU.validate_python(sku) == sku for sku in made)


@given(number=st.one_of(st.integers(), st.decimals(allow_nan=True, allow_infinity=True)))
@example(number=Decimal("5.0"))
@example(number=Decimal("1E+3"))
@example(number=Decimal("1E+999999"))
@example(number=Decimal("-0.0"))
@example(number=2**31)
def test_stock_is_a_whole_number_within_its_bounds(number: int | Decimal) -> None:
    fits = isinstance(number, int) or (
        isinstance(exponent := number.as_tuple().exponent, int)
        and abs(exponent) <= 20
        and number == number.to_integral_value()
    )
    if fits and 0 <= number <= MAX_STOCK:
        assert STOCK.validate_python(number) == number
        assert type(STOCK.validate_python(number)) is int
    else:
        assert refused(STOCK, number)


@pytest.mark.parametrize("value", [True, None, "5", 5.0, [], 1.5])
def test_nothing_else_is_stock(value: object) -> None:
    assert refused(STOCK, value)


@given(number=st.integers())
def test_an_integer_of_the_query_is_plain_digits(number: int) -> None:
    assert integer_text(str(number)) == number


@pytest.mark.parametrize("text", ["", "-", "+1", "1_0", " 1", "1 ", "1\n", "1.0", "1e3", "٣", "--1", "0x1"])
def test_no_other_spelling_is_an_integer(text: str) -> None:
    with pytest.raises(ValueError, match="must be an integer"):
        integer_text(text)


@pytest.mark.parametrize("digits", [20, 4000, 4300, 5000, 60_000])
def test_an_integer_of_any_length_is_read(digits: int) -> None:
    assert integer_text("9" * digits) > 2**63
    assert integer_text("-" + "9" * digits) < -(2**63)


@given(
    moment=st.datetimes(
        min_value=datetime(2, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
        max_value=datetime(9998, 1, 1),  # noqa: DTZ001 - the same
        timezones=st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(
            lambda offset: timezone(timedelta(minutes=offset // timedelta(minutes=1)))
        ),
    )
)
def test_a_moment_is_the_same_in_every_zone(moment: datetime) -> None:
    read = MOMENT.validate_python(moment.isoformat())
    assert read == moment
    assert read.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        "", "2026-01-01", "2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "\ud800",
        "2026-13-01T00:00:00Z", 0, 1.5, None, True, datetime(2026, 1, 1, tzinfo=UTC), "now", "infinity",
    ],
)  # fmt: skip
def test_nothing_else_is_a_moment(value: object) -> None:
    assert refused(MOMENT, value)


@given(text=st.text(st.characters(), min_size=1, max_size=10))
@example(text="\x00")
@example(text="\ud800")
def test_a_text_is_accepted_exactly_if_it_can_be_stored(text: str) -> None:
    name: TypeAdapter[str] = TypeAdapter(Name)
    storable = "\x00" not in text and text == text.encode("utf-8", "replace").decode()
    assert refused(name, text) is not storable


@pytest.mark.parametrize("shape", [GoodsCreate, GoodsReplace, GoodsPatch])
@pytest.mark.parametrize("field", ["name", "price", "sku", "stock", "description", "category"])
def test_an_error_names_the_field_and_nothing_of_our_inside(shape: type[Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        shape.model_validate({"name": "Wick", "price": 1, field: {}})
    assert [entry["loc"] for entry in caught.value.errors()] == [(field,)]


def test_left_out_and_null_are_told_apart() -> None:
    assert not GoodsPatch.model_validate({}).emptied("description")
    assert GoodsPatch.model_validate({"description": None}).emptied("description")
    assert not GoodsPatch.model_validate({"description": ""}).emptied("description")
