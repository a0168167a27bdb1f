"""Logs: what was said, which errors there are, and all lines of one request or trace."""

from monitoring.grafana.build.dashboard import Row, choice, log_label_values, page, row, text_box
from monitoring.grafana.build.panels import chart, lines, stat, table, upward
from monitoring.grafana.build.queries import Json, loki, loki_now

_LEVELS = ["debug", "info", "warning", "error", "critical"]
_COLOURS = {"critical": "purple", "error": "red", "warning": "orange", "info": "green", "debug": "blue"}
_STREAMS = '{service=~"$service"}'
_ERRORS = '{service=~"$service",level=~"error|critical"}'
_ACCESS = f'{_STREAMS} |= `"event":"http.request"`'
# Streams go on until somebody ends them, and imports and exports take as long as their files.
_TIMED = "| route !~ `.*#stream|/imports.*|/goods/export`"


def dashboard() -> Json:
    return page(
        "goods-logs",
        "Logs",
        "What the services said: how much of it, which errors, which requests were slow; and all lines of one request.",
        [_volume(), _found(), _errors(), _slow()],
        variables=[
            log_label_values("service", "service", "Service", first="api"),
            choice("level", _LEVELS, "Level"),
            text_box("request_id", "Request id"),
            text_box("trace_id", "Trace id"),
            text_box("search", "Text"),
        ],
    )


def _volume() -> Row:
    return row(
        "How much is said",
        stat(
            "Lines",
            "Lines within the time that is shown.",
            loki_now(f"sum(count_over_time({_STREAMS}[$__range]))"),
            unit="short",
        ),
        stat(
            "Errors",
            "Lines of the levels error and critical. A request that was answered 5xx is one.",
            loki_now(f"sum(count_over_time({_ERRORS}[$__range]))"),
            unit="short",
            steps=upward(1, 10),
        ),
        chart(
            "Lines by level",
            "Lines within each step of the chart. The look-up below shows those of the chosen levels.",
            loki(
                'sum by (level) (count_over_time({service=~"$service",level=~"$level"}[$__auto]))',
                "{{level}}",
            ),
            unit="short",
            stacked=True,
            colours=_COLOURS,
        ),
        chart(
            "Lines by service",
            "Who talks. A service that falls silent has ended, or its logs no longer arrive.",
            loki('sum by (service) (count_over_time({service=~".+"}[$__auto]))', "{{service}}"),
            unit="short",
            stacked=True,
        ),
        widths=[4, 4, 10, 6],
    )


def _found() -> Row:
    found = (
        '{service=~"$service",level=~"$level"}'
        " | request_id=~`${request_id:regex}.*` | trace_id=~`${trace_id:regex}.*` |~ `(?i)${search:regex}`"
    )
    return row(
        "Look up",
        lines(
            "Lines",
            "The newest lines. Fill in a request id (every answer and every problem has one, X-Request-ID), a trace id or"
            " any text above, or the beginning of it. Points of the latency charts lead here with their trace id.",
            loki(found),
        ),
        height=14,
    )


def _errors() -> Row:
    kinds = (
        "sum by (logger, event, error_type) (count_over_time("
        f'{_ERRORS} | json logger="logger", event="event", error_type="[\\"error.type\\"]" [$__range]))'
    )
    return row(
        "Errors",
        table(
            "Errors by logger and type",
            "Within the time that is shown. goods.access are requests that were answered 5xx; another logger's line"
            " with the same request id has the reason.",
            loki_now(f"topk(20, {kinds})"),
            unit="short",
            columns={"logger": "Logger", "event": "Event", "error_type": "Type", "Value #A": "Lines"},
        ),
        chart(
            "Errors by logger",
            "Lines within each step of the chart.",
            loki(f'sum by (logger) (count_over_time({_ERRORS} | json logger="logger" [$__auto]))', "{{logger}}"),
            unit="short",
            stacked=True,
        ),
        lines(
            "What was said besides requests",
            "Errors, warnings and events of the service (event), without access lines: the database that was lost, stock"
            " that is wrong, a background task that failed.",
            loki(f'{_STREAMS} |= `"event":"` != `"event":"http.request"`'),
        ),
        lines(
            "Stacks",
            "Lines with a stack: faults of the service. The last frames name the line of code.",
            loki(f'{_ERRORS} |= `"error.stack":` | json | line_format `{{{{.error_type}}}}: {{{{.error_stack}}}}`'),
        ),
        widths=[12, 12, 12, 12],
        height=10,
    )


def _slow() -> Row:
    return row(
        "Slow requests",
        chart(
            "95% complete within, by route",
            "The whole of the answer, as the access lines have it; the dashboard API measures to its beginning.",
            loki(
                f'quantile_over_time(0.95, {_ACCESS} | json route="route", duration_ms="duration_ms"'
                f" {_TIMED} | unwrap duration_ms | __error__=`` [$__auto]) by (route)",
                "{{route}}",
            ),
            unit="ms",
        ),
        lines(
            "Requests that took longer than 250 ms",
            "The newest of them, streams, imports and exports left out. Click a line for its ids: each is a link to all lines"
            " of its request or trace.",
            loki(
                f'{_ACCESS} | json method="method", route="route", path="path", status="status",'
                f' duration_ms="duration_ms" {_TIMED} | duration_ms > 250'
                " | line_format `{{.status}} {{.method}} {{.path}} {{.duration_ms}} ms`"
            ),
        ),
        widths=[10, 14],
        height=10,
    )
