"""The parameters of the list of goods."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from app.goods.schemas.fields import Category, integer_text, price, storable

Sort = Literal[
    "id", "-id", "name", "-name", "price", "-price", "stock", "-stock",
    "created_at", "-created_at", "updated_at", "-updated_at",
]  # fmt: skip
PriceBound = Annotated[
    Decimal,
    BeforeValidator(price),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,10}(\.[0-9]{1,2})?$", "examples": ["9.99"]}),
]
SearchText = Annotated[str, Field(min_length=2, max_length=200), BeforeValidator(storable)]
Limit = Annotated[int, Field(ge=1, le=500), BeforeValidator(integer_text)]


class GoodsSelection(BaseModel):
    """Which goods are meant."""

    model_config = ConfigDict(frozen=True)

    q: SearchText | None = Field(
        None,
        description="Only goods that every word is found in: in the name, the description or the SKU, in any order;"
        " case, accents and punctuation do not matter, and a misspelt word is corrected. Also goods whose SKU begins"
        " with it. Goods found by their SKU come first, then those found by the words as they are, then those found"
        " by other forms or corrected words; within each, `sort` decides.",
        examples=["storm lantern"],
    )
    category: Category | None = Field(None, description="Only goods of exactly this category.")
    min_price: PriceBound | None = Field(None, description="Only goods that cost at least this much.")
    max_price: PriceBound | None = Field(None, description="Only goods that cost at most this much.")
    in_stock: Literal["true", "false"] | None = Field(
        None, description="`true`: only goods with stock; `false`: only goods without."
    )


class GoodsFilter(GoodsSelection):
    """Which goods to list, and how."""

    sort: Sort = Field("id", description="The order; `-` for descending. Equal goods come in the order of ids.")
    limit: Limit = Field(50, description="How many goods at most.")
    after: str | None = Field(None, description="The `next` of the page before.", examples=["WyI3ZjNhIiw1MF0"])
    count: Literal["none", "estimated", "exact"] = Field(
        "none", description="Whether to count all goods that match: exact counting reads them all."
    )
