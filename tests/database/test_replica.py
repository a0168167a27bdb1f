"""Which host serves what when a replica is configured."""

from pathlib import Path

import httpx2

from app.application import create_app
from app.database.embedded import EmbeddedAddress
from app.goods.schemas.list import GoodsFilter
from tests.conftest import Service, settings_for
from tests.serving import serving


async def test_a_replica_serves_lists_only_and_its_loss_harms_nothing_else(
    service: Service, postgres: EmbeddedAddress, tmp_path: Path
) -> None:
    """The replica's folder has no server in it, so whatever asks it is answered with 503."""
    app = create_app(settings_for(postgres, DB_READ_HOST=tmp_path))
    async with serving(app) as url, httpx2.AsyncClient(base_url=url, verify=False) as client:
        made = await client.post("/goods", json={"sku": "A", "name": "Wick", "price": 1})
        assert made.status_code == 201
        for path in ("/goods/1", "/goods/by-sku/A", "/readyz"):
            assert (await client.get(path)).status_code == 200, path
        for path in ("/goods", "/goods/export", "/categories", "/goods/1/stock/movements"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems/database-unavailable"), path
        assert 'database_pool_size{pool="replica"} 10.0' in (await client.get("/metrics")).text
    # The run's own service has no replica: there the same list comes from the primary.
    assert len((await service.parts.goods_lists.page(GoodsFilter())).documents) == 1
