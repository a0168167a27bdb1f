"""The framework's floor: a FastAPI route that answers with the same bytes."""

import os

import uvicorn
from fastapi import FastAPI, Response

from benchmarks.floor.asgi import BODY

app = FastAPI()


@app.get("/goods/{goods_id}")
async def read_goods(goods_id: int) -> Response:  # noqa: ARG001 - parsed, as any handler would have it
    return Response(BODY, media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["PORT"]), loop="uvloop", http="httptools", access_log=False, log_level="error")
