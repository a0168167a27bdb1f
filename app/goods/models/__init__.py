"""All tables: importing one makes the metadata whole."""

from app.goods.models import goods, idempotency, imports

__all__ = ["goods", "idempotency", "imports"]
