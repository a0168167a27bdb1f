"""API: is it healthy, and if not, which requests suffer and since when."""

from monitoring.grafana.build.dashboard import Row, label_values, page, row
from monitoring.grafana.build.panels import (
    BUDGET,
    ONE_IS_GOOD,
    SHARE_IN_USE,
    ZERO_IS_GOOD,
    bars,
    chart,
    heatmap,
    stat,
    table,
    upward,
)  # fmt: skip
from monitoring.grafana.build.queries import Json, buckets, now, prometheus, rows

_API = 'job="goods-api"'
# What clients ask for. Probes and scrapes would make a quiet service look busy, and a slow one fast.
_WORK = f'{_API},route!~"/livez|/readyz|/metrics"'
_CHOSEN = f'{_WORK},route=~"$route"'
_COLOURS = {"2xx": "green", "3xx": "blue", "4xx": "orange", "5xx": "red"}
_WINDOWS = ("5m", "1h", "6h", "3d")


def dashboard() -> Json:
    return page(
        "goods-api",
        "API",
        "Whether the API keeps its objectives, how fast and how often it answers, and what it runs short of.",
        [_healthy(), _objectives(), _traffic(), _latency(), _routes(), _saturation(), _deploys()],
        variables=[label_values("route", "route", f"http_requests_total{{{_API}}}", "Route")],
    )


def _healthy() -> Row:
    return row(
        "Is it healthy?",
        stat(
            "Instances up",
            "Instances of the API that Prometheus reaches. None: see the runbook of GoodsApiDown.",
            now(f"sum(up{{{_API}}})"),
            unit="none",
            steps=ONE_IS_GOOD,
        ),
        stat(
            "Alerts firing",
            "Critical alerts and warnings, of all parts. Which ones is on the dashboard Monitoring itself.",
            now('count(ALERTS{alertstate="firing",severity=~"critical|warning"}) or vector(0)'),
            unit="none",
            steps=ZERO_IS_GOOD,
        ),
        stat(
            "Failed, 5 minutes",
            "Share of requests that were answered 5xx. The objective allows 0.1% over 30 days.",
            now("goods_slo:availability_errors:ratio_rate5m"),
            unit="percentunit",
            steps=upward(0.001, 0.0144),
            decimals=2,
        ),
        stat(
            "Slow, 5 minutes",
            "Share of successful requests whose answer began after 250 ms. The objective allows 5% over 30 days.",
            now("goods_slo:latency_slow:ratio_rate5m"),
            unit="percentunit",
            steps=upward(0.05, 0.3),
            decimals=2,
        ),
        stat(
            "Error budget left",
            "Of the failures that the objective allows over 30 days, the share that is left. Below 0 it is spent:"
            " what is risky can wait.",
            now("goods_slo:availability_budget_left:ratio"),
            unit="percentunit",
            steps=BUDGET,
            decimals=1,
        ),
        stat(
            "Latency budget left",
            "Of the slow answers that the objective allows over 30 days, the share that is left.",
            now("goods_slo:latency_budget_left:ratio"),
            unit="percentunit",
            steps=BUDGET,
            decimals=1,
        ),
        stat(
            "Requests",
            "Requests a second that clients make, probes and scrapes left out.",
            now(f"sum(rate(http_requests_total{{{_WORK}}}[5m]))"),
            unit="reqps",
            decimals=1,
        ),
        stat(
            "95% answered within",
            "The time within which 95 of 100 answers begin, over five minutes.",
            now(_quantile(0.95, _WORK, "5m")),
            unit="s",
            steps=upward(0.1, 0.25),
        ),
        height=4,
    )


def _objectives() -> Row:
    def burning(record: str, allowed: float) -> list[Json]:
        return [prometheus(f"{record}:ratio_rate{window} / {allowed}", window) for window in _WINDOWS]

    return row(
        "Objectives over 30 days",
        chart(
            "Error budget: how fast it burns",
            "1 means that exactly the allowed 0.1% fails: the budget lasts its 30 days. At 14.4, over five minutes"
            " and an hour, somebody is called: the budget would be gone in two days.",
            *burning("goods_slo:availability_errors", 0.001),
            unit="none",
            steps=upward(1, 14.4),
        ),
        chart(
            "Latency budget: how fast it burns",
            "1 means that exactly the allowed 5% are slower than 250 ms. It can't exceed 20: then all are slow.",
            *burning("goods_slo:latency_slow", 0.05),
            unit="none",
            steps=upward(1, 6),
        ),
    )


def _traffic() -> Row:
    return row(
        "Requests and errors",
        chart(
            "Requests by kind of answer",
            "Requests a second: 2xx done, 3xx not modified, 4xx the client's mistake, 5xx ours.",
            prometheus(
                f"sum by (status_class) (rate(http_request_duration_seconds_count{{{_CHOSEN}}}[$__rate_interval]))",
                "{{status_class}}",
            ),
            unit="reqps",
            stacked=True,
            colours=_COLOURS,
        ),
        chart(
            "Failures (5xx) by route",
            "500 is a fault of the service: the log has its stack. 503 means that the database did not answer or"
            " that too many requests were under way. Empty is good.",
            prometheus(
                f'sum by (method, route, status) (rate(http_requests_total{{{_CHOSEN},status=~"5.."}}[$__rate_interval]))',
                "{{status}} {{method}} {{route}}",
            ),
            unit="reqps",
        ),
        chart(
            "Refused (4xx) by status",
            "Requests that the client has to mend. A sudden rise after a deploy of a client is its mistake; after"
            " one of ours it may be ours.",
            prometheus(
                f'sum by (status) (rate(http_requests_total{{{_CHOSEN},status=~"4.."}}[$__rate_interval]))',
                "{{status}}",
            ),
            unit="reqps",
        ),
        chart(
            "Paths that do not exist",
            "Requests that no route takes: scanners, or a client with a wrong address.",
            prometheus(
                f'sum by (method, status) (rate(http_requests_total{{{_API},route="__unmatched__"}}[$__rate_interval]))',
                "{{method}} {{status}}",
            ),
            unit="reqps",
        ),
        chart(
            "Keys refused",
            "Requests without a key that allows them, by reason. Many `unknown`: somebody guesses.",
            prometheus(f"sum by (reason) (rate(goods_access_refused_total{{{_API}}}[$__rate_interval]))", "{{reason}}"),
            unit="reqps",
        ),
        widths=[12, 12, 8, 8, 8],
    )


def _quantile(q: float, labels: str, window: str, by: str = "le") -> str:
    return f"histogram_quantile({q}, sum by ({by}) (rate(http_request_duration_seconds_bucket{{{labels}}}[{window}])))"


def _latency() -> Row:
    return row(
        "Latency",
        chart(
            "Time to the beginning of the answer",
            "Half, 95% and 99% of the answers begin within this time. A point is one request: click it for the log"
            " lines of its trace. The dashed line is the objective, 250 ms.",
            *(
                prometheus(_quantile(q, _CHOSEN, "$__rate_interval"), words, exemplars=q == 0.99)
                for q, words in ((0.5, "50%"), (0.95, "95%"), (0.99, "99%"))
            ),
            unit="s",
            steps=[(None, "transparent"), (0.25, "red")],
        ),
        heatmap(
            "How long requests take",
            "Requests by duration: two dark bands are two kinds of requests, a dark band that climbs is a service"
            " that slows down. The points are single requests, as beside.",
            buckets(f"sum by (le) (increase(http_request_duration_seconds_bucket{{{_CHOSEN}}}[$__rate_interval]))"),
            unit="s",
        ),
        height=9,
    )


def _routes() -> Row:
    by = f"sum by (method, route) (rate(http_requests_total{{{_CHOSEN}}}[$__range]))"
    failed = f'sum by (method, route) (rate(http_requests_total{{{_CHOSEN},status=~"5.."}}[$__range]))'
    return row(
        "By route",
        table(
            "Routes",
            "Over the time that is shown: requests a second, the share that failed (5xx), and the time within"
            " which 95% of the answers began.",
            rows(by),
            rows(f"({failed} or {by} * 0) / ({by} > 0)"),
            rows(_quantile(0.95, _CHOSEN, "$__range", "method, route, le")),
            unit="short",
            columns={
                "method": "Method",
                "route": "Route",
                "Value #A": "Requests",
                "Value #B": "Failed",
                "Value #C": "95% within",
            },
            units={"Requests": "reqps", "Failed": "percentunit", "95% within": "s"},
        ),
        chart(
            "95% answered within, by route",
            "Which route became slow. Routes that are seldom asked for are missing while nobody asks.",
            prometheus(_quantile(0.95, _CHOSEN, "$__rate_interval", "route, le"), "{{route}}"),
            unit="s",
            steps=[(None, "transparent"), (0.25, "red")],
        ),
        height=10,
    )


def _saturation() -> Row:
    return row(
        "What it runs short of",
        chart(
            "Requests under way and waiting",
            "Under way: being worked on or sent. Waiting: more than MAX_REQUESTS are under way. A line that climbs"
            " and does not come down means that something behind them does not answer.",
            prometheus(f"sum(http_requests_in_progress{{{_API}}})", "under way"),
            prometheus(f"sum(http_requests_queued{{{_API}}})", "waiting for a place"),
            unit="none",
        ),
        chart(
            "Turned away",
            "503 a second for want of a place (MAX_REQUESTS, MAX_WAITING_REQUESTS) or of a database connection"
            " (DB_POOL_SIZE).",
            prometheus(f"sum(rate(http_requests_turned_away_total{{{_API}}}[$__rate_interval]))", "no place"),
            prometheus(
                f"sum by (pool) (rate(database_pool_exhausted_total{{{_API}}}[$__rate_interval]))",
                "no connection: {{pool}}",
            ),
            unit="reqps",
        ),
        chart(
            "Database connections in use",
            "Share of each pool that runs a statement. At 100% requests wait for a connection.",
            prometheus(
                f"max by (pool, instance) (database_pool_in_use_connections{{{_API}}} / database_pool_size{{{_API}}})",
                "{{pool}} {{instance}}",
            ),
            unit="percentunit",
            most=1,
        ),
        chart(
            "Processor time",
            "Cores in use by each instance. One process works on one core: at 1 it is busy.",
            prometheus(f"rate(process_cpu_seconds_total{{{_API}}}[$__rate_interval])", "{{instance}} {{worker}}"),
            unit="none",
        ),
        chart(
            "Memory",
            "Resident memory of each instance. A line that only ever climbs, over days, is a leak.",
            prometheus(f"process_resident_memory_bytes{{{_API}}}", "{{instance}} {{worker}}"),
            unit="bytes",
        ),
        bars(
            "Open files and connections",
            "Share of the file descriptors that each instance may open. Each client's connection is one. Absent"
            " with several workers.",
            now(f"process_open_fds{{{_API}}} / process_max_fds{{{_API}}}", "{{instance}}"),
            unit="percentunit",
            steps=SHARE_IN_USE,
        ),
        widths=[8, 8, 8, 8, 8, 8],
    )


def _deploys() -> Row:
    return row(
        "Deploys and restarts",
        chart(
            "Instances by version",
            "A deploy is one line that falls while another rises. It is a blue line in all charts as well.",
            prometheus(f"sum by (version) (goods_api_build_info{{{_API}}})", "{{version}}"),
            unit="none",
            stacked=True,
        ),
        chart(
            "Uptime",
            "Time since each process started. A saw with many teeth is a crash loop.",
            prometheus(f"time() - process_start_time_seconds{{{_API}}}", "{{instance}} {{worker}}"),
            unit="s",
        ),
        stat(
            "Restarts within an hour",
            "How often processes were started anew.",
            now(f"sum(changes(process_start_time_seconds{{{_API}}}[1h]))"),
            unit="none",
            steps=upward(1, 3),
            decimals=0,
        ),
        widths=[12, 8, 4],
    )
