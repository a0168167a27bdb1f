"""Goods API without what `WITHOUT` names (metrics, log, ids), to measure what each of them costs."""

import os
from typing import Any

from app.application import GoodsApi, create_app
from app.commands import serve
from app.config.conf import Settings, load_settings
from app.logs.context import RequestContext
from app.middleware.access_log import AccessLogMiddleware
from app.middleware.prometheus import PrometheusMiddleware
from app.middleware.request_context import RequestContextMiddleware
from app.middleware.stack import MiddlewareStack, Step

_STEPS = {"metrics": PrometheusMiddleware, "log": AccessLogMiddleware, "ids": RequestContextMiddleware}


class NoIds(Step):
    """Gives every request the same ids, and answers without them."""

    _context = RequestContext("0" * 32, "0" * 32, "0" * 16)

    def begin(self, scope: Any) -> None:
        scope["state"]["context"] = self._context
        scope["state"]["request_id"] = self._context.request_id


def without(settings: Settings | None = None) -> GoodsApi:
    app = create_app(settings)
    dropped = tuple(_STEPS[name] for name in os.environ["WITHOUT"].split(","))
    stack: Any = app.around
    steps = [step for step in stack.steps if not isinstance(step, dropped)]
    if RequestContextMiddleware in dropped:
        steps.insert(0, NoIds())
    app.around = MiddlewareStack(stack.app, steps)
    return app


if __name__ == "__main__":
    serve.create_app = without  # type: ignore[attr-defined]  # the one place where it is made
    serve.serve(load_settings(os.environ), migrate_first=False)
