"""Movements of stock on the wire."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from app.goods.schemas.fields import Delta, Given, Identifier, Moment, Sku, storable
from app.goods.schemas.goods import only_real_defaults

MOST_LINES = 500

# What a caller can give as the reason. The others are written by what creates, changes and deletes goods.
MoveReason = Literal["receipt", "sale", "return", "correction", "count"]
Reason = Literal["initial", "receipt", "sale", "return", "correction", "count", "import", "undo", "delete"]
Reference = Annotated[
    str,
    Field(max_length=200, description="What the caller knows it by, such as an order's number.", examples=["A-1173"]),
    BeforeValidator(storable),
]


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=only_real_defaults)


class StockMove(_Input):
    """Pieces that come or go."""

    delta: Delta
    reason: MoveReason = Field(description="Why.", examples=["sale"])
    reference: Reference = ""


def _one_of_two(schema: dict[str, Any]) -> None:
    only_real_defaults(schema)
    schema["oneOf"] = [{"required": ["sku"]}, {"required": ["goods_id"]}]
    schema["examples"] = [{"sku": "LAN-0012", "delta": -2}]


class BasketLine(_Input):
    """One good of a basket: exactly one of `sku` and `goods_id`."""

    model_config = ConfigDict(json_schema_extra=_one_of_two)
    sku: Given[Sku] = None
    goods_id: Given[Identifier] = Field(default=None, description="The good's id.", examples=[17])
    delta: Delta

    @model_validator(mode="after")
    def _names_one_good(self) -> "BasketLine":
        if (self.sku is None) == (self.goods_id is None):
            raise PydanticCustomError("one_good", "must have exactly one of sku and goods_id")
        return self

    @property
    def named_by(self) -> str:
        """The field that says which good is meant."""
        return "goods_id" if self.sku is None else "sku"


class Basket(_Input):
    """Movements that are made together or not at all."""

    lines: list[BasketLine] = Field(
        min_length=1,
        max_length=MOST_LINES,
        description="1 to 500 lines. A good may stand in several: they are taken one after the other.",
        examples=[[{"sku": "LAN-0012", "delta": -2}]],
    )
    reason: MoveReason = Field(description="Why, for all lines.", examples=["sale"])
    reference: Reference = ""


class MovementRead(BaseModel):
    """One entry of the ledger."""

    id: int = Field(description="Ascends for each good.", examples=[311])
    goods_id: int = Field(description="The good's id.", examples=[17])
    goods_version: int = Field(ge=1, description="The good's version from this movement on.", examples=[4])
    delta: int = Field(description="Pieces that came, or went if negative.", examples=[-2])
    balance: int = Field(ge=0, description="Pieces on hand afterwards.", examples=[10])
    reason: Reason = Field(description="Why.", examples=["sale"])
    reference: str = Field(description="What the caller knows it by.", examples=["A-1173"])
    actor: str = Field(description="Who did it: the access key's name, or `anonymous`.", examples=["anonymous"])
    created_at: Moment = Field(description="When.")


class BasketMoved(BaseModel):
    """What a basket moved."""

    movements: list[MovementRead] = Field(description="One for each line, in their order.")


class MovementPage(BaseModel):
    """One page of a good's movements."""

    items: list[MovementRead] = Field(description="Newest first.")
    next: str | None = Field(
        description="The token for `after` that gives the next page; null on the last one.",
        examples=["WyI3ZjNhIiw1MF0"],
    )
