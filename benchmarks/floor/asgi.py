"""The floor: an ASGI function that answers every request with the same bytes. Nothing in Python can do less."""

import os

import uvicorn
from starlette.types import Receive, Scope, Send

BODY = (
    b'{"id":17,"sku":"LAN-0012","name":"Storm lantern","description":"Brass, burns lamp oil.","category":"Lighting",'
    b'"price":"24.90","stock":12,"version":1,"created_at":"2026-11-23T09:30:00.000000Z",'
    b'"updated_at":"2026-11-23T09:30:00.000000Z"}'
)
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": BODY})


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["PORT"]), loop="uvloop", http="httptools", access_log=False, log_level="error")
