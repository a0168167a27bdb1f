"""Imports as they go over the wire."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from app.goods.schemas.fields import Moment

State = Literal["planning", "planned", "applying", "applied", "undoing", "undone", "failed"]


class ImportCounts(BaseModel):
    """Lines of the file by what becomes of them."""

    created: int = Field(description="Lines that make a new good.", examples=[3885])
    updated: int = Field(
        description="Lines that change a good, and earlier lines for a SKU that a later one changes.", examples=[386]
    )
    unchanged: int = Field(description="Lines that change nothing.", examples=[0])
    refused: int = Field(description="Lines that break a rule.", examples=[521])


class ImportRead(BaseModel):
    """An import."""

    id: int = Field(description="Given by the server.", examples=[7])
    state: State = Field(description="How far it is.", examples=["planned"])
    progress: float = Field(
        ge=0, le=1, description="How much of the step under way is done, from 0 to 1.", examples=[1.0]
    )
    counts: ImportCounts = Field(description="Lines by what becomes of them, once it is planned.")
    options: dict[str, Any] = Field(description="How the file is read.", examples=[{"format": "csv", "delimiter": ","}])
    problem: dict[str, Any] | None = Field(
        description="Why it failed, or went back to the state before: `import-drift` when goods had changed.",
        examples=[None],
    )
    bytes: int = Field(description="The file's size.", examples=[419979])
    actor: str = Field(description="Who uploaded it.", examples=["anonymous"])
    request_id: str = Field(description="The request that uploaded it.", examples=["0af7651916cd43dd8448eb211c80319c"])
    created_at: Moment = Field(description="When the upload began.")
    planned_at: Moment | None = Field(description="When it was planned.")
    applied_at: Moment | None = Field(description="When it was applied.", examples=[None])
    undone_at: Moment | None = Field(description="When it was undone.", examples=[None])


class ImportPage(BaseModel):
    """One page of the imports."""

    items: list[ImportRead] = Field(description="Newest first.")
    next: str | None = Field(description="The token for `after` that gives the next page; null on the last one.")


class FieldChange(BaseModel):
    """One field that a line writes."""

    before: str | int | None = Field(description="What it is before; null for a new good.", examples=["24.90"])
    after: str | int = Field(description="What the line makes it.", examples=["26.90"])


class ImportRowRead(BaseModel):
    """One line of the file."""

    line: int = Field(description="Its number in the file, from 1.", examples=[17])
    result: Literal["created", "updated", "unchanged", "refused"] = Field(description="What becomes of it.")
    sku: str | None = Field(description="The SKU; null where it can't be read.", examples=["LAN-0012"])
    goods_id: int | None = Field(description="The good; null for a new one until it is applied.", examples=[17])
    changes: dict[str, FieldChange] = Field(
        description="The fields that it writes; none where a later line for its SKU does.",
        examples=[{"price": {"before": "24.90", "after": "26.90"}}],
    )
    problem: str | None = Field(description="Why it is refused.", examples=[None])


class ImportRowPage(BaseModel):
    """One page of an import's lines."""

    items: list[ImportRowRead] = Field(description="In the order of the file.")
    next: str | None = Field(description="The token for `after` that gives the next page; null on the last one.")
