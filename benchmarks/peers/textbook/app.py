"""The textbook peer: FastAPI, the SQLAlchemy ORM with async sessions, asyncpg. Frozen, see ../README.md."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy import URL, BigInteger, DateTime, Identity, Numeric, Text, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

MAX_BIGINT = 2**63 - 1
MAX_INTEGER = 2**31 - 1

engine = create_async_engine(
    URL.create(
        "postgresql+asyncpg",
        host=os.environ.get("DB_HOST", "127.0.0.1"),
        port=int(os.environ.get("DB_PORT", "5432")),
        database=os.environ.get("DB_NAME", "goods"),
        username=os.environ.get("DB_USER", "goods"),
        password=os.environ.get("DB_PASSWORD"),
    ),
    pool_size=20,
    max_overflow=0,
)
new_session = async_sessionmaker(engine, expire_on_commit=False)


# Models


class Base(DeclarativeBase):
    pass


class Good(Base):
    __tablename__ = "goods"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    sku: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text, index=True)
    description: Mapped[str] = mapped_column(Text)
    category: Mapped[str] = mapped_column(Text, index=True)
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2), index=True)
    stock: Mapped[int]
    version: Mapped[int] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), onupdate=func.now()
    )

    # The ORM counts the version up, and gets what the server made by RETURNING.
    __mapper_args__ = {"version_id_col": version, "eager_defaults": True}  # noqa: RUF012


# Schemas

Sku = Annotated[str, Field(min_length=1, max_length=64)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Description = Annotated[str, Field(max_length=10_000)]
Category = Annotated[str, Field(max_length=100)]
Price = Annotated[
    Decimal,
    Field(ge=0, max_digits=12, decimal_places=2),
    AfterValidator(lambda price: price.quantize(Decimal("0.01"))),
]
Stock = Annotated[int, Field(ge=0, le=MAX_INTEGER)]


class GoodIn(BaseModel):
    sku: Sku
    name: Name
    description: Description = ""
    category: Category = ""
    price: Price
    stock: Stock = 0


class GoodPatch(BaseModel):
    """Every field may be left out, none may be null."""

    sku: Sku = Field(default=None)
    name: Name = Field(default=None)
    description: Description = Field(default=None)
    category: Category = Field(default=None)
    price: Price = Field(default=None)
    stock: Stock = Field(default=None)


class StockChange(BaseModel):
    delta: int = Field(ge=-MAX_INTEGER, le=MAX_INTEGER)


class GoodOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    sku: str
    name: str
    description: str
    category: str
    price: Decimal
    stock: int
    version: int
    created_at: datetime
    updated_at: datetime


class GoodList(BaseModel):
    items: list[GoodOut]


# Dependencies


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield
    await engine.dispose()


async def get_session() -> AsyncIterator[AsyncSession]:
    async with new_session() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]
GoodId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
SortKey = Literal[
    "id", "name", "price", "stock", "created_at", "updated_at",
    "-id", "-name", "-price", "-stock", "-created_at", "-updated_at",
]  # fmt: skip


async def find_good(session: AsyncSession, good_id: int, *, lock: bool = False) -> Good:
    good = await session.get(Good, good_id, with_for_update=lock)
    if good is None:
        raise HTTPException(status_code=404, detail="No such good")
    return good


# Routes

app = FastAPI(title="Goods, textbook style", lifespan=lifespan)


@app.exception_handler(IntegrityError)
async def taken(_: Request, __: IntegrityError) -> JSONResponse:
    return JSONResponse({"detail": "This SKU is taken"}, status_code=409)


@app.post("/goods", status_code=201, response_model=GoodOut)
async def create_good(body: GoodIn, session: Session) -> Good:
    good = Good(**body.model_dump())
    session.add(good)
    await session.commit()
    return good


@app.get("/goods", response_model=GoodList)
async def list_goods(
    *,
    session: Session,
    category: str | None = None,
    min_price: Price | None = None,
    max_price: Price | None = None,
    in_stock: bool | None = None,
    sort: SortKey = "id",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=MAX_BIGINT)] = 0,
) -> dict:
    query = select(Good)
    if category is not None:
        query = query.where(Good.category == category)
    if min_price is not None:
        query = query.where(Good.price >= min_price)
    if max_price is not None:
        query = query.where(Good.price <= max_price)
    if in_stock is not None:
        query = query.where(Good.stock > 0 if in_stock else Good.stock == 0)
    column = getattr(Good, sort.removeprefix("-"))
    order = column.desc() if sort.startswith("-") else column.asc()
    goods = await session.scalars(query.order_by(order, Good.id).limit(limit).offset(offset))
    return {"items": goods.all()}


@app.get("/goods/{good_id}", response_model=GoodOut)
async def read_good(good_id: GoodId, session: Session) -> Good:
    return await find_good(session, good_id)


@app.put("/goods/{good_id}", response_model=GoodOut)
async def replace_good(good_id: GoodId, body: GoodIn, session: Session) -> Good:
    good = await find_good(session, good_id, lock=True)
    for field, value in body.model_dump().items():
        setattr(good, field, value)
    await session.commit()
    return good


@app.patch("/goods/{good_id}", response_model=GoodOut)
async def update_good(good_id: GoodId, body: GoodPatch, session: Session) -> Good:
    good = await find_good(session, good_id, lock=True)
    for field, value in body.model_dump(exclude_unset=True).items():
        setattr(good, field, value)
    await session.commit()
    return good


@app.delete("/goods/{good_id}", status_code=204)
async def delete_good(good_id: GoodId, session: Session) -> None:
    good = await find_good(session, good_id, lock=True)
    await session.delete(good)
    await session.commit()


@app.post("/goods/{good_id}/stock", response_model=GoodOut)
async def change_stock(good_id: GoodId, body: StockChange, session: Session) -> Good:
    good = await find_good(session, good_id, lock=True)
    balance = good.stock + body.delta
    if not 0 <= balance <= MAX_INTEGER:
        raise HTTPException(status_code=409, detail=f"Stock would be {balance}")
    good.stock = balance
    await session.commit()
    return good


if __name__ == "__main__":
    uvicorn.run(
        app,
        host=os.environ.get("HOST", "127.0.0.1"),
        port=int(os.environ.get("PORT", "8000")),
        loop="uvloop",
        http="httptools",
        access_log=False,
    )
