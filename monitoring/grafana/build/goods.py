"""Goods: what the shop does, and whether its stock is right."""

from monitoring.grafana.build.dashboard import Row, page, row
from monitoring.grafana.build.panels import ZERO_IS_GOOD, bars, chart, stat, upward
from monitoring.grafana.build.queries import Json, now, prometheus

_API = 'job="goods-api"'
_OUR_FAULT = "unavailable|error"


def dashboard() -> Json:
    return page(
        "goods-business",
        "Goods",
        "What is created, changed and sold, what is refused and why, and whether stock and its ledger agree.",
        [_healthy(), _changes(), _operations(), _stock(), _imports(), _feed()],
    )


def _rate(metric: str, labels: str = "", by: str = "") -> str:
    grouped = f"sum by ({by})" if by else "sum"
    return f"{grouped} (rate({metric}{{{_API}{labels}}}[$__rate_interval]))"


def _healthy() -> Row:
    return row(
        "Is it right?",
        stat(
            "Stock that is wrong",
            "Goods whose stock is not what their ledger says. Anything but 0 is an emergency: somebody sells what is"
            " not there. See the runbook of GoodsStockMismatch; the log names each (event ledger.mismatch).",
            now(f"max(goods_stock_mismatch{{{_API}}})"),
            unit="none",
            steps=ZERO_IS_GOOD,
        ),
        stat(
            "Last looked",
            "Time since stock was compared with the ledger. Without that the number beside it says nothing.",
            now(f"min(goods_stock_mismatch_age_seconds{{{_API}}})"),
            unit="s",
            steps=upward(180, 600),
        ),
        stat(
            "Feed lag",
            "Time since every committed change had its place in the change feed. A second is normal; a long"
            " transaction holds it back.",
            now(f"max(goods_feed_lag_seconds{{{_API}}})"),
            unit="s",
            steps=upward(10, 60),
        ),
        stat(
            "Goods",
            "Goods in the catalogue; above 100,000 an estimate.",
            now(f"max(goods_in_catalogue{{{_API}}})"),
            unit="short",
        ),
        stat(
            "Stock value",
            "Price times stock of all goods, in the currency of the deployment (CURRENCY); above 100,000 goods"
            " an estimate from a sample.",
            now(f"max(goods_stock_value{{{_API}}})"),
            unit="short",
            decimals=0,
        ),
        stat(
            "Low stock",
            "Goods with less stock than LOW_STOCK_BELOW, those without any included; counted up to 100,000.",
            now(f"max(goods_low_stock{{{_API}}})"),
            unit="short",
        ),
        stat(
            "Out of stock",
            "Goods without stock; counted up to 100,000.",
            now(f"max(goods_out_of_stock{{{_API}}})"),
            unit="short",
        ),
        stat(
            "Sales refused, 1 hour",
            "Sales that were refused because there was too little stock: revenue that was not made.",
            now(f'sum(increase(goods_stock_refused_total{{{_API},reason="sale"}}[1h]))'),
            unit="short",
            decimals=0,
        ),
        height=4,
    )


def _changes() -> Row:
    return row(
        "What happens to goods",
        chart(
            "Created, updated, deleted",
            "Goods a second, counted after the change is committed. Updated are those whose version rose by PUT, PATCH,"
            " bulk or an import; a movement of stock is none.",
            prometheus(_rate("goods_created_total"), "created"),
            prometheus(_rate("goods_updated_total"), "updated"),
            prometheus(_rate("goods_operations_total", ',operation="delete",result="ok"'), "deleted"),
            unit="ops",
        ),
        chart(
            "Sold, and other movements of stock",
            "Movements a second, by reason: a basket of three goods is three. Those of imports are not in it.",
            prometheus(_rate("goods_stock_movements_total", by="reason"), "{{reason}}"),
            unit="ops",
        ),
    )


def _operations() -> Row:
    share = (
        f'sum by (operation) (rate(goods_operations_total{{{_API},result=~"{_OUR_FAULT}"}}[$__rate_interval]))'
        f" / (sum by (operation) (rate(goods_operations_total{{{_API}}}[$__rate_interval])) > 0)"
    )
    return row(
        "Operations",
        chart(
            "Operations that succeeded",
            "Operations a second, by kind. `unchanged` had no effect, as it was so already.",
            prometheus(_rate("goods_operations_total", ',result=~"ok|unchanged"', "operation"), "{{operation}}"),
            unit="ops",
            stacked=True,
        ),
        chart(
            "Operations that did not",
            "By result: not_found, conflict, refused, precondition_failed and invalid are answers to the client;"
            " unavailable (no database) and error (a fault) are ours.",
            prometheus(
                _rate("goods_operations_total", ',result!~"ok|unchanged"', "operation, result") + " > 0",
                "{{operation}}: {{result}}",
            ),
            unit="ops",
        ),
        chart(
            "Failed by our fault",
            "Share of each operation that ended as unavailable or error. Nothing but 0 is normal.",
            prometheus(share, "{{operation}}"),
            unit="percentunit",
        ),
        chart(
            "Conflicts and lost races",
            "conflict: a SKU is taken, or what was asked for is no longer possible. precondition_failed: somebody else"
            " was quicker (412), and nothing was overwritten unseen.",
            prometheus(
                _rate("goods_operations_total", ',result=~"conflict|precondition_failed"', "result"),
                "{{result}}",
            ),
            unit="ops",
        ),
        chart(
            "Requests sent again",
            "Answers given again for an Idempotency-Key. Many at once: clients did not get their answers, so look at"
            " the network and at the latency.",
            prometheus(_rate("goods_idempotent_replays_total"), "replayed"),
            unit="ops",
        ),
        widths=[12, 12, 8, 8, 8],
    )


def _stock() -> Row:
    return row(
        "Stock",
        chart(
            "Low and out of stock",
            "Goods with less than LOW_STOCK_BELOW pieces, and without any: what there is to buy.",
            prometheus(f"max(goods_low_stock{{{_API}}})", "low"),
            prometheus(f"max(goods_out_of_stock{{{_API}}})", "out"),
            unit="short",
        ),
        chart(
            "Refused for want of stock",
            "Requests a second that asked for more than there is; a basket counts once.",
            prometheus(_rate("goods_stock_refused_total", by="reason"), "{{reason}}"),
            unit="ops",
        ),
        chart(
            "Stock value",
            "Price times stock of all goods. A cliff is a wrong price or a wrong count.",
            prometheus(f"max(goods_stock_value{{{_API}}})", "value"),
            unit="short",
        ),
        chart(
            "Stock against its ledger",
            "Goods that are wrong. The service compares what has changed every LEDGER_CHECK seconds.",
            prometheus(f"max(goods_stock_mismatch{{{_API}}})", "wrong"),
            unit="short",
        ),
        chart(
            "How old that knowledge is",
            "Since what has changed was compared, and since all goods were: the second takes long where there are"
            " many.",
            prometheus(f"min(goods_stock_mismatch_age_seconds{{{_API}}})", "what has changed"),
            prometheus(f"min(goods_stock_sweep_age_seconds{{{_API}}})", "all goods"),
            unit="s",
        ),
        widths=[8, 8, 8, 12, 12],
    )


def _imports() -> Row:
    return row(
        "Imports",
        bars(
            "Steps that ended",
            "Within the time that is shown: planned, applied, undone; failed is a file that can't be read, conflict that"
            " goods had changed meanwhile, interrupted that it was given up.",
            now(f"sort_desc(sum by (result) (increase(goods_imports_total{{{_API}}}[$__range])))", "{{result}}"),
            unit="short",
        ),
        bars(
            "Lines of planned imports",
            "Within the time that is shown, by what they would do. Many refused: the file has other columns than"
            " the last time.",
            now(
                f"sort_desc(sum by (result) (increase(goods_import_lines_total{{{_API}}}[$__range])))",
                "{{result}}",
            ),
            unit="short",
        ),
    )


def _feed() -> Row:
    return row(
        "Change feed",
        chart(
            "Changes",
            "Changes a second that got their place in the feed.",
            prometheus(_rate("goods_feed_numbered_total"), "numbered"),
            unit="ops",
        ),
        chart(
            "Lag",
            "Time since every committed change had its place in the feed. See the longest transaction on the dashboard"
            " Database.",
            prometheus(f"max(goods_feed_lag_seconds{{{_API}}})", "lag"),
            unit="s",
        ),
        chart(
            "Streams",
            "Clients that follow the feed as server-sent events; MAX_STREAMS for each process.",
            prometheus(f"sum(goods_feed_streams{{{_API}}})", "streams"),
            unit="none",
        ),
    )
