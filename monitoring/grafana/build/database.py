"""Database: is it there, what holds it up, and where does its time go."""

from monitoring.grafana.build.dashboard import Row, label_values, page, row
from monitoring.grafana.build.panels import ONE_IS_GOOD, SHARE_IN_USE, bars, chart, stat, table, upward
from monitoring.grafana.build.queries import Json, now, prometheus, rows

_API = 'job="goods-api"'
_PG = 'job="postgres"'
_DB = f'{_PG},datname=~"$database"'
_UP = {"0": "down", "1": "up"}


def dashboard() -> Json:
    # The databases of PostgreSQL itself say nothing.
    databases = label_values(
        "database",
        "datname",
        f"pg_stat_database_numbackends{{{_PG}}}",
        "Database",
        only="/^(?!template|postgres$).+/",
    )
    return page(
        "goods-database",
        "Database",
        "PostgreSQL as the exporter and the service see it: connections, transactions, locks, space, statements.",
        [_healthy(), _connections(), _transactions(), _waits(), _disk(), _space(), _statements()],
        variables=[databases],
    )


def _rate(metric: str, labels: str = "") -> str:
    return f"sum by (datname) (rate({metric}{{{_DB}{labels}}}[$__rate_interval]))"


def _cache_hits(window: str) -> str:
    hit, read = (
        f"sum by (datname) (rate(pg_stat_database_blks_{what}{{{_DB}}}[{window}]))" for what in ("hit", "read")
    )
    return f"{hit} / (({hit} + {read}) > 0)"


def _healthy() -> Row:
    used = f"sum(pg_stat_database_numbackends{{{_PG}}}) / max(pg_settings_max_connections{{{_PG}}})"
    return row(
        "Is it healthy?",
        stat(
            "PostgreSQL",
            "Whether the exporter reaches it. Down here and up beside: the exporter's account or network.",
            now(f"min(pg_up{{{_PG}}})"),
            unit="none",
            steps=ONE_IS_GOOD,
            words=_UP,
        ),
        stat(
            "As the service sees it",
            "Whether the last query of every instance's refreshing task was answered.",
            now(f"min(database_up{{{_API}}})"),
            unit="none",
            steps=ONE_IS_GOOD,
            words=_UP,
        ),
        stat(
            "Connections in use",
            "Share of max_connections. At 100% nobody gets in any more, the person who wants to help included.",
            now(used),
            unit="percentunit",
            steps=SHARE_IN_USE,
        ),
        stat(
            "Longest transaction",
            "How long the oldest transaction has been open. It holds its locks, the vacuum and the change feed.",
            now(f"max(pg_stat_activity_max_tx_duration{{{_DB}}})"),
            unit="s",
            steps=upward(60, 300),
        ),
        stat(
            "Waiting for a lock",
            "Connections that wait for what another one holds.",
            now(f'sum(pg_stat_activity_count{{{_DB},wait_event_type="Lock"}}) or vector(0)'),
            unit="none",
            steps=upward(1, 5),
        ),
        stat(
            "Cache hits",
            "Share of the blocks that were found in memory, over five minutes. Below 99% the working set has outgrown"
            " shared_buffers, or a statement reads whole tables.",
            now(f"min({_cache_hits('5m')})"),
            unit="percentunit",
            steps=[(None, "red"), (0.9, "orange"), (0.99, "green")],
            decimals=2,
        ),
        stat(
            "Deadlocks, 1 hour",
            "Transactions that PostgreSQL broke off because they waited for each other. The service takes its locks in"
            " one order: look for a job of somebody else's.",
            now(f"sum(increase(pg_stat_database_deadlocks{{{_DB}}}[1h]))"),
            unit="none",
            steps=upward(1, 10),
            decimals=0,
        ),
        stat(
            "Size",
            "Space on disk, indexes included.",
            now(f"sum(pg_database_size_bytes{{{_DB}}})"),
            unit="bytes",
        ),
        height=4,
    )


def _connections() -> Row:
    return row(
        "Connections",
        chart(
            "Connections by state",
            "`idle in transaction` should be 0: a client has begun something and does not go on.",
            prometheus(f"sum by (state) (pg_stat_activity_count{{{_DB}}})", "{{state}}"),
            unit="none",
            stacked=True,
        ),
        chart(
            "Connections and their limit",
            "All databases together, against max_connections.",
            prometheus(f"sum(pg_stat_database_numbackends{{{_PG}}})", "open"),
            prometheus(f"max(pg_settings_max_connections{{{_PG}}})", "limit"),
            unit="none",
            colours={"limit": "red"},
        ),
        chart(
            "Wait for a connection of the pool",
            "95% of the requests that found no free connection got one within this time. Quiet while there is always one"
            " free.",
            prometheus(
                "histogram_quantile(0.95, sum by (pool, le)"
                f" (rate(database_pool_wait_seconds_bucket{{{_API}}}[$__rate_interval])))",
                "{{pool}}",
            ),
            unit="s",
        ),
    )


def _transactions() -> Row:
    return row(
        "Transactions",
        chart(
            "Transactions",
            "Commits and rollbacks a second. A refused change is a rollback: some are normal.",
            prometheus(_rate("pg_stat_database_xact_commit"), "commits {{datname}}"),
            prometheus(_rate("pg_stat_database_xact_rollback"), "rollbacks {{datname}}"),
            unit="ops",
        ),
        chart(
            "Rolled back",
            "Share of the transactions that were rolled back.",
            prometheus(
                f"{_rate('pg_stat_database_xact_rollback')} / (({_rate('pg_stat_database_xact_commit')}"
                f" + {_rate('pg_stat_database_xact_rollback')}) > 0)",
                "{{datname}}",
            ),
            unit="percentunit",
        ),
        chart(
            "Rows",
            "Rows a second. Many more returned than fetched: statements that read whole tables.",
            *(
                prometheus(_rate(f"pg_stat_database_tup_{what}"), what)
                for what in ("returned", "fetched", "inserted", "updated", "deleted")
            ),
            unit="rowsps",
        ),
    )


def _waits() -> Row:
    return row(
        "Locks and long transactions",
        chart(
            "Longest transaction",
            "Age of the oldest open transaction, by state. `idle in transaction`: whoever began it has gone, or thinks.",
            prometheus(f"max by (state) (pg_stat_activity_max_tx_duration{{{_DB}}})", "{{state}}"),
            unit="s",
        ),
        chart(
            "Locks held",
            "By mode. accessexclusivelock shuts everybody out: a change of the schema, or a VACUUM FULL.",
            prometheus(f"sum by (mode) (pg_locks_count{{{_DB}}}) > 0", "{{mode}}"),
            unit="none",
        ),
        chart(
            "What connections wait for",
            "Client: for the next statement, which is rest. Lock: for another transaction. IO and LWLock: for disk and"
            " memory.",
            prometheus(
                f'sum by (wait_event_type) (pg_stat_activity_count{{{_DB},wait_event_type!=""}})',
                "{{wait_event_type}}",
            ),
            unit="none",
            stacked=True,
        ),
    )


def _disk() -> Row:
    return row(
        "Memory and disk",
        chart(
            "Cache hits",
            "Share of the blocks that were found in memory.",
            prometheus(_cache_hits("$__rate_interval"), "{{datname}}"),
            unit="percentunit",
            most=1,
        ),
        chart(
            "Checkpoints",
            "Within an hour. Requested ones should be rare: more WAL was written than max_wal_size takes.",
            prometheus(f"sum(increase(pg_stat_checkpointer_num_timed_total{{{_PG}}}[1h]))", "on time"),
            prometheus(f"sum(increase(pg_stat_checkpointer_num_requested_total{{{_PG}}}[1h]))", "requested"),
            unit="none",
        ),
        chart(
            "WAL on disk",
            "Size of the write-ahead log. It grows without end behind a replica that is gone and has a slot.",
            prometheus(f"max(pg_wal_size_bytes{{{_PG}}})", "WAL"),
            unit="bytes",
        ),
        chart(
            "Writing of checkpoints",
            "Milliseconds a second that checkpoints spent writing and syncing. Much syncing: the disk is slow.",
            prometheus(f"sum(rate(pg_stat_checkpointer_write_time_total{{{_PG}}}[$__rate_interval]))", "writing"),
            prometheus(f"sum(rate(pg_stat_checkpointer_sync_time_total{{{_PG}}}[$__rate_interval]))", "syncing"),
            unit="ms",
        ),
        chart(
            "Temporary files",
            "Bytes a second that did not fit into work_mem. Sorting of large exports and imports comes here.",
            prometheus(_rate("pg_stat_database_temp_bytes"), "{{datname}}"),
            unit="Bps",
        ),
        widths=[8, 8, 8, 12, 12],
    )


def _space() -> Row:
    dead = f"pg_stat_user_tables_n_dead_tup{{{_DB}}}"
    live = f"pg_stat_user_tables_n_live_tup{{{_DB}}}"
    return row(
        "Space",
        chart(
            "Size of the database",
            "Space on disk. The change feed and the ledger grow with every change; FEED_RETENTION ends the former.",
            prometheus(f"sum by (datname) (pg_database_size_bytes{{{_DB}}})", "{{datname}}"),
            unit="bytes",
        ),
        bars(
            "Largest tables",
            "Without their indexes.",
            now(f"topk(8, max by (relname) (pg_stat_user_tables_table_size_bytes{{{_DB}}}))", "{{relname}}"),
            unit="bytes",
        ),
        bars(
            "Dead rows",
            "Share of each table's rows that are old versions nobody sees any more, of tables with a thousand rows or"
            " more. Above 20% the vacuum does not keep up, or a long transaction holds it.",
            now(
                f"topk(8, max by (relname) ({dead}) / (max by (relname) ({dead}) + max by (relname) ({live}) >= 1000))",
                "{{relname}}",
            ),
            unit="percentunit",
            steps=upward(0.2, 0.5),
        ),
    )


def _statements() -> Row:
    def by_statement(metric: str) -> str:
        return f"sum by (queryid) (rate({metric}{{{_DB}}}[$__rate_interval]))"

    seconds, calls = by_statement("pg_stat_statements_seconds_total"), by_statement("pg_stat_statements_calls_total")
    text = f"* on (queryid) group_left (query) max by (queryid, query) (pg_stat_statements_query_id{{{_PG}}})"
    top = f"topk(10, {seconds} {text})"
    return row(
        "Statements",
        table(
            "Statements that take the most time",
            "Seconds that PostgreSQL spends on each statement in a second, how often it runs, and how long it takes. It"
            " needs pg_stat_statements, and the exporter's collector with the texts of the statements.",
            rows(top),
            rows(f"{calls} and on (queryid) {top}"),
            rows(f"({seconds} / ({calls} > 0)) and on (queryid) {top}"),
            unit="short",
            columns={
                "query": "Statement",
                "Value #A": "Seconds a second",
                "Value #B": "Calls a second",
                "Value #C": "Time each",
            },
            units={"Seconds a second": "s", "Calls a second": "ops", "Time each": "s"},
        ),
        height=10,
    )
