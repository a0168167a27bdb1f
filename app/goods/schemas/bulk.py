"""Many goods in one request."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from app.goods.schemas.fields import Category, Description, Given, Name, Price, Sku, Stock
from app.goods.schemas.goods import only_real_defaults

MOST_ITEMS = 10_000


class BulkItem(BaseModel):
    """A good by its SKU: created if there is none, which needs `name` and `price`; else the given fields change."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=only_real_defaults)

    sku: Sku
    name: Given[Name] = None
    description: Given[Description] = None
    category: Given[Category] = None
    price: Given[Price] = None
    stock: Given[Stock] = None


class BulkUpsert(BaseModel):
    """The goods to create or change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Each item is judged by itself, so that all their faults can be told, and the good ones taken.
    items: list[Any] = Field(
        max_length=MOST_ITEMS,
        description="Up to 10,000 goods. Where several have one SKU, later ones win field by field.",
        json_schema_extra={"items": BulkItem.model_json_schema()},
        examples=[[{"sku": "LAN-0012", "price": "26.90"}]],
    )


class BulkResult(BaseModel):
    """What became of one item."""

    index: int = Field(ge=0, description="The item's place in the request, from 0.", examples=[0])
    status: Literal["created", "updated", "unchanged", "refused"] = Field(
        description="What became of it.", examples=["updated"]
    )
    id: int | None = Field(description="The good's id; null if it was refused.", examples=[17])
    version: int | None = Field(description="The good's version afterwards; null if it was refused.", examples=[4])
    problem: dict[str, Any] | None = Field(
        description="Why it was refused, as problem details; null otherwise.", examples=[None]
    )


class BulkAnswer(BaseModel):
    """One result for each item, in their order."""

    results: list[BulkResult] = Field(description="One for each item, in their order.")


BULK_ITEM = TypeAdapter(BulkItem)
