"""The shapes of a good on the wire: what comes in for each kind of change, and what goes out."""

import secrets
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.goods.schemas.fields import (
    Category,
    Description,
    Given,
    Identifier,
    Moment,
    Name,
    Price,
    Sku,
    Stock,
    Version,
)

_SKU_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no letter that looks like a digit


def new_sku() -> str:
    """A SKU for a good that came without one: 50 random bits, so that two never meet."""
    return "G-" + "".join(secrets.choice(_SKU_ALPHABET) for _ in range(10))


def only_real_defaults(schema: dict[str, Any]) -> None:
    """None is how we say "left out"; to say that null is the default would tell a caller to send it."""
    for field in schema["properties"].values():
        if field.get("default", ...) is None:
            del field["default"]


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=only_real_defaults)


def _shown(example: dict[str, Any]) -> ConfigDict:
    """What is added to a body's configuration so that its description shows `example`."""

    def described(schema: dict[str, Any]) -> None:
        only_real_defaults(schema)
        schema["examples"] = [example]

    return ConfigDict(json_schema_extra=described)


class GoodsCreate(_Input):
    """A new good. Without `sku` it is given one."""

    sku: Sku = Field(default_factory=new_sku)
    name: Name
    description: Description = ""
    category: Category = ""
    price: Price
    stock: Stock = 0


class _ReadOnly(_Input):
    """What only the server sets: accepted where it equals what is stored, so that a GET can be sent back."""

    id: Given[Identifier] = Field(default=None, description="Read-only: must equal the path's id.", examples=[17])
    version: Given[Version] = Field(
        default=None, description="Read-only: when it is not the stored version, the answer is 409.", examples=[1]
    )
    created_at: Given[Moment] = Field(default=None, description="Read-only: must equal what is stored.")
    updated_at: Given[Moment] = Field(default=None, description="Read-only: must equal what is stored.")


class GoodsReplace(_ReadOnly):
    """All of a good. `sku` and `stock` stay when they are left out; other fields take their default."""

    model_config = _shown({"name": "Storm lantern", "category": "Lighting", "price": "26.90", "version": 1})

    sku: Given[Sku] = None
    name: Name
    description: Description = ""
    category: Category = ""
    price: Price
    stock: Given[Stock] = None


class GoodsPatch(_ReadOnly):
    """Some fields of a good (RFC 7396). Null empties a description or category; nothing else can be null."""

    model_config = _shown({"price": "26.90"})

    sku: Given[Sku] = None
    name: Given[Name] = None
    description: Description | None = Field(default=None, description="Anything more to say; null empties it.")
    category: Category | None = Field(default=None, description="Its category; null takes it out of any.")
    price: Given[Price] = None
    stock: Given[Stock] = None

    def emptied(self, field: str) -> bool:
        """Whether the body says null for `field`, rather than nothing."""
        return field in self.model_fields_set and getattr(self, field) is None


class GoodsRead(BaseModel):
    """A good as it is answered."""

    id: int = Field(description="Given by the server.", examples=[17])
    sku: str = Field(description="The stock keeping unit.", examples=["LAN-0012"])
    name: str = Field(description="What the good is called.", examples=["Storm lantern"])
    description: str = Field(description="Anything more to say.", examples=["Brass, burns lamp oil."])
    category: str = Field(description="The category that it is listed under; empty for none.", examples=["Lighting"])
    price: Decimal = Field(
        description="In the deployment's currency, with two decimals.",
        json_schema_extra={"type": "string", "pattern": r"^[0-9]{1,10}\.[0-9]{2}$"},
        examples=["24.90"],
    )
    stock: int = Field(ge=0, description="Pieces on hand.", examples=[12])
    version: int = Field(ge=1, description="Rises by one with every change.", examples=[1])
    created_at: Moment = Field(description="When it was created.")
    updated_at: Moment = Field(description="When it was last changed.")


class GoodsPage(BaseModel):
    """One page of the list."""

    items: list[GoodsRead] = Field(description="In the order that was asked for.")
    next: str | None = Field(
        description="The token for `after` that gives the next page; null on the last one.",
        examples=["WyI3ZjNhIiw1MF0"],
    )
    count: int | None = Field(
        description="How many goods the filters match, when `count` asked for it; null otherwise.", examples=[4271]
    )


class CategoryCount(BaseModel):
    """One category."""

    name: str = Field(description="The category; empty for goods without one.", examples=["Lighting"])
    count: int = Field(ge=1, description="How many goods it has.", examples=[42])


class CategoryPage(BaseModel):
    """One page of the categories."""

    items: list[CategoryCount] = Field(description="By name.")
    next: str | None = Field(
        description="The token for `after` that gives the next page; null on the last one.",
        examples=["WyI3ZjNhIiw1MF0"],
    )
