"""Monitoring itself: whether what watches is being watched."""

from monitoring.grafana.build.dashboard import Row, page, row
from monitoring.grafana.build.panels import ONE_IS_GOOD, SHARE_IN_USE, ZERO_IS_GOOD, bars, chart, stat, table, upward
from monitoring.grafana.build.queries import Json, now, prometheus, rows

_PROMETHEUS = 'job="prometheus"'
_ALERTMANAGER = 'job="alertmanager"'
_LOKI = 'job="loki"'
_SAMPLE_LIMIT = 20_000  # sample_limit of prometheus.yml


def dashboard() -> Json:
    return page(
        "goods-monitoring",
        "Monitoring itself",
        "Which alerts fire, whether they reach somebody, and whether metrics and logs still arrive.",
        [_healthy(), _alerts(), _scrapes(), _notifications(), _logs(), _resources()],
    )


def _healthy() -> Row:
    return row(
        "Does it watch?",
        stat(
            "Alerts firing",
            "Critical alerts and warnings; the table below names them.",
            now('count(ALERTS{alertstate="firing",severity=~"critical|warning"}) or vector(0)'),
            unit="none",
            steps=ZERO_IS_GOOD,
        ),
        stat(
            "Targets down",
            "Targets that Prometheus could not scrape. Which one is in the table of targets.",
            now("count(up == 0) or vector(0)"),
            unit="none",
            steps=ZERO_IS_GOOD,
        ),
        stat(
            "Watchdog",
            "The alert that always fires and tells an outside heartbeat that all of this works. It must be on.",
            now('count(ALERTS{alertname="Watchdog",alertstate="firing"}) or vector(0)'),
            unit="none",
            steps=ONE_IS_GOOD,
            words={"0": "silent", "1": "on"},
        ),
        stat(
            "Notifications failed, 1 hour",
            "Messages that Alertmanager could not hand over: somebody was not told.",
            now(f"sum(increase(alertmanager_notifications_failed_total{{{_ALERTMANAGER}}}[1h]))"),
            unit="none",
            steps=ZERO_IS_GOOD,
            decimals=0,
        ),
        stat(
            "Rules failed, 1 hour",
            "Evaluations of rules that ended in an error: an alert that can't be judged does not fire.",
            now(f"sum(increase(prometheus_rule_evaluation_failures_total{{{_PROMETHEUS}}}[1h]))"),
            unit="none",
            steps=ZERO_IS_GOOD,
            decimals=0,
        ),
        stat(
            "Log lines arriving",
            "Lines a second that Loki takes. None while there is traffic: the agent has stopped.",
            now(f"sum(rate(loki_distributor_lines_received_total{{{_LOKI}}}[5m]))"),
            unit="cps",
            decimals=1,
        ),
        height=4,
    )


def _alerts() -> Row:
    return row(
        "Alerts",
        table(
            "Alerts now",
            "firing: somebody was told, if it has a receiver. pending: it has not lasted long enough yet. The Watchdog"
            " always fires and is left out.",
            rows('ALERTS{alertname!="Watchdog"}'),
            unit="short",
            columns={
                "alertname": "Alert",
                "severity": "Severity",
                "alertstate": "State",
                "component": "Part",
                "instance": "Instance",
            },
        ),
        chart(
            "Alerts firing",
            "How many, by severity, the Watchdog left out.",
            prometheus(
                'sum by (severity) (ALERTS{alertstate="firing",alertname!="Watchdog"}) or vector(0)',
                "{{severity}}",
            ),
            unit="none",
            stacked=True,
            colours={"critical": "red", "warning": "orange", "info": "blue"},
        ),
        widths=[14, 10],
    )


def _scrapes() -> Row:
    return row(
        "Prometheus",
        table(
            "Targets",
            "Everything that is scraped: up is 1; how long the last scrape took, and how many samples it brought.",
            rows("max by (job, instance) (up)"),
            rows("max by (job, instance) (scrape_duration_seconds)"),
            rows("max by (job, instance) (scrape_samples_scraped)"),
            unit="short",
            columns={
                "job": "Job",
                "instance": "Instance",
                "Value #A": "Up",
                "Value #B": "Took",
                "Value #C": "Samples",
            },
            units={"Took": "s"},
        ),
        bars(
            "Samples against the limit",
            f"A scrape of more than {_SAMPLE_LIMIT:,} samples fails as a whole. What grows is a label with too many values.",
            now(f"max by (job) (scrape_samples_post_metric_relabeling) / {_SAMPLE_LIMIT}", "{{job}}"),
            unit="percentunit",
            steps=SHARE_IN_USE,
        ),
        chart(
            "Series in memory",
            "Time series that Prometheus keeps open. A staircase: each deploy brings new ones, and old ones go after"
            " two hours.",
            prometheus(f"max(prometheus_tsdb_head_series{{{_PROMETHEUS}}})", "series"),
            unit="short",
        ),
        chart(
            "Evaluation of rules",
            "How long each group of rules took the last time. A group must be quicker than its interval.",
            prometheus(
                "max by (rule_group) (label_replace("
                f"prometheus_rule_group_last_duration_seconds{{{_PROMETHEUS}}},"
                ' "rule_group", "$1", "rule_group", ".*;(.*)"))',
                "{{rule_group}}",
            ),
            unit="s",
        ),
        chart(
            "Metrics on disk",
            "Blocks that are kept: 35 days, or as many as the limit of size allows.",
            prometheus(f"max(prometheus_tsdb_storage_blocks_bytes{{{_PROMETHEUS}}})", "blocks"),
            prometheus(f"max(prometheus_tsdb_wal_storage_size_bytes{{{_PROMETHEUS}}})", "write-ahead log"),
            unit="bytes",
        ),
        widths=[12, 12, 8, 8, 8],
    )


def _notifications() -> Row:
    return row(
        "Alertmanager",
        chart(
            "Notifications",
            "Messages within an hour, by the way they went.",
            prometheus(
                f"sum by (integration) (increase(alertmanager_notifications_total{{{_ALERTMANAGER}}}[1h]))",
                "{{integration}}",
            ),
            unit="none",
        ),
        chart(
            "Notifications that failed",
            "By way and reason. They are tried again; one that goes on failing is an alert of its own.",
            prometheus(
                "sum by (integration, reason)"
                f" (increase(alertmanager_notifications_failed_total{{{_ALERTMANAGER}}}[1h]))",
                "{{integration}} {{reason}}",
            ),
            unit="none",
        ),
        chart(
            "Alerts that it knows",
            "active are told, suppressed are silenced or inhibited by a worse one.",
            prometheus(f"sum by (state) (alertmanager_alerts{{{_ALERTMANAGER}}})", "{{state}}"),
            unit="none",
            stacked=True,
        ),
    )


def _logs() -> Row:
    return row(
        "Loki",
        chart(
            "Lines arriving",
            "Lines a second. Metric names of the two agents differ, so this looks at Loki's own.",
            prometheus(f"sum(rate(loki_distributor_lines_received_total{{{_LOKI}}}[$__rate_interval]))", "lines"),
            unit="cps",
        ),
        chart(
            "Bytes arriving",
            "What retention keeps for 31 days: a day's mean times 31, divided by about ten for compression, is the disk.",
            prometheus(f"sum(rate(loki_distributor_bytes_received_total{{{_LOKI}}}[$__rate_interval]))", "bytes"),
            unit="Bps",
        ),
        chart(
            "Streams",
            "Sets of labels that are being written. Some dozens are right; thousands mean that something that differs in"
            " each line became a label.",
            prometheus(f"sum(loki_ingester_memory_streams{{{_LOKI}}})", "streams"),
            unit="short",
        ),
    )


def _resources() -> Row:
    return row(
        "Resources",
        chart(
            "Memory of each part",
            "Resident memory, as each reports it of itself.",
            prometheus("sum by (job) (process_resident_memory_bytes)", "{{job}}"),
            unit="bytes",
        ),
        chart(
            "Processor time of each part",
            "Cores in use by each part, as it reports them of itself.",
            prometheus("sum by (job) (rate(process_cpu_seconds_total[$__rate_interval]))", "{{job}}"),
            unit="none",
        ),
        bars(
            "Disk in use",
            "Of the machine (compose: node exporter) or of each volume (Kubernetes: kubelet).",
            now(
                '1 - max by (mountpoint) (node_filesystem_avail_bytes{job="node",fstype!~"tmpfs|overlay|squashfs|ramfs"}'
                ' / node_filesystem_size_bytes{job="node",fstype!~"tmpfs|overlay|squashfs|ramfs"})',
                "{{mountpoint}}",
            ),
            now(
                '1 - max by (persistentvolumeclaim) (kubelet_volume_stats_available_bytes{job="kubelet"}'
                ' / kubelet_volume_stats_capacity_bytes{job="kubelet"})',
                "{{persistentvolumeclaim}}",
            ),
            unit="percentunit",
            steps=upward(0.8, 0.9),
        ),
    )
