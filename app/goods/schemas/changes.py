"""Changes on the wire: entries of the feed and of a good's history."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.goods.schemas.fields import MAX_ID, Moment
from app.goods.schemas.goods import GoodsRead

_POSITION = re.compile(r"[0-9]{1,19}", re.ASCII)
_DESCRIBED = {"type": "string", "pattern": r"^([0-9]{1,19}|latest)$"}


LATEST = -1


def cursor(value: str) -> int:
    """The position that a cursor stands for, or LATEST. Raises PydanticCustomError."""
    if value == "latest":
        return LATEST
    if not _POSITION.fullmatch(value) or int(value) > MAX_ID:
        raise PydanticCustomError("cursor", "must be a cursor of the feed, or latest")
    return int(value)


Cursor = Annotated[int, BeforeValidator(cursor), WithJsonSchema({**_DESCRIBED, "examples": ["1042"]})]


class _Entry(BaseModel):
    goods_id: int = Field(description="The good's id.", examples=[17])
    sku: str = Field(
        description="The good's SKU after the change; before it, when it was deleted.", examples=["LAN-0012"]
    )
    operation: Literal["create", "update", "stock", "delete"] = Field(
        description="`stock` is a movement; a stock that was set with other fields is an `update`.", examples=["update"]
    )
    version: int = Field(ge=1, description="The good's version from this change on.", examples=[2])
    before: GoodsRead | None = Field(description="The good before the change; null when it was created.")
    after: GoodsRead | None = Field(description="The good after the change; null when it was deleted.")
    actor: str = Field(description="Who did it: the access key's name, or `anonymous`.", examples=["anonymous"])
    request_id: str = Field(description="The request that did it, as in the log.", examples=["4bf92f3577b34da6"])
    at: Moment = Field(description="When.")


class ChangeRead(_Entry):
    """One change, at its place in the feed."""

    position: int = Field(ge=1, description="Its place: without gaps, for ever the same.", examples=[1042])


class ChangePage(BaseModel):
    """One page of the feed."""

    items: list[ChangeRead] = Field(description="In the order of their positions.")
    next: str = Field(description="The cursor to go on from, as `after`: never null.", examples=["1042"])
    more: bool = Field(description="Whether there is more already; otherwise ask again later.", examples=[False])


class HistoryEntry(_Entry):
    """One change of a good."""

    position: int | None = Field(
        ge=1, description="Its place in the feed; null in the moment before it has one.", examples=[1042]
    )


class HistoryPage(BaseModel):
    """One page of a good's history."""

    items: list[HistoryEntry] = Field(description="Newest first.")
    next: str | None = Field(
        description="The token for `after` that gives the next page; null on the last one.",
        examples=["WyI3ZjNhIiw1MF0"],
    )
