"""The report: a table for each scenario, what is demanded beside what was found, and a chart."""

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape

from benchmarks.measure import Scenario

_FOLDER = Path(__file__).parents[1] / "docs" / "reference"
_BAR, _GAP, _LEFT, _WIDTH = 18, 6, 250, 760
_COLOURS = {"ours": "#2c7a4b", "textbook": "#9aa0a6", "fastify": "#9aa0a6", "pgbench": "#d0a24c"}

Line = tuple[object, ...]


def table(columns: Line, rows: Sequence[Line]) -> str:
    lines = [columns, tuple("---" for _ in columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def machine(server_version: str) -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return (
        f"{datetime.now(UTC):%Y-%m-%d}; {os.cpu_count()} cores ({model}), {memory} GiB, {platform.system()}"
        f" {platform.release()}; Python {platform.python_version()}, PostgreSQL {server_version}, Node {node};"
        " server, load and database share the machine."
    )


def section(scenario: Scenario) -> str:
    """One scenario's table and demands."""
    ours = next(iter(scenario.results))
    rows: list[Line] = []
    for name, result in scenario.results.items():
        ratio = "" if name == ours else f"{scenario.ratio(name):.2f}"
        rows.append(
            (
                name, f"{result.rate:,.0f}", f"±{result.spread * 50:.0f}%", ratio, f"{result.median('p50'):.1f}",
                f"{result.median('p99'):.1f}" if result.median("p99") else "",
                f"{result.median('server_cpu'):.3f}" if result.median("server_cpu") else "",
                f"{result.median('database_cpu'):.3f}", result.errors or "",
            )
        )  # fmt: skip
    columns = (
        "who", "requests/s", "spread", f"{ours} / this", "p50 ms", "p99 ms", "CPU s / 1,000: server", "PostgreSQL",
        "errors",
    )  # fmt: skip
    return f"## {scenario.title}\n\n{table(columns, rows)}"


def verdicts(scenarios: Sequence[Scenario], others: Sequence[Line]) -> str:
    """What is demanded, and what was found."""
    rows: list[Line] = [
        (scenario.title, f"at least {least:.2g} x {other}", f"{found:.2f}", _met(found >= least))
        for scenario in scenarios
        for other, least in scenario.demands
        for found in [scenario.ratio(other)]
    ]
    return table(("scenario", "demanded", "found", "met"), [*rows, *others])


def measured_once(once: Mapping[str, float], goods: int) -> list[Line]:
    """What is measured as a whole, as lines of the same table."""
    planned, applied, copied = (once[name] for name in ("uploaded and planned", "applied", "copied"))
    of_import = copied / (planned + applied)
    of_export = once["copied out"] / once["exported"]
    imports = f"Import of {goods:,}: planned in {planned:.0f} s, applied in {applied:.0f} s, COPY {copied:.0f} s"
    exports = (
        f"Export of {goods:,}: {once['exported']:.1f} s for {once['MiB']:.0f} MiB, COPY {once['copied out']:.1f} s"
    )
    aims = (
        ("Scrape", "scrape", "ms", 5),
        ("Start on existing data, embedded PostgreSQL included", "start", "s", 3),
        ("Memory at rest", "memory at rest", "MiB", 100),
        ("Memory after the run", "memory after", "MiB", 150),
    )
    return [
        (imports, "at least 0.25 x COPY of the same rows", f"{of_import:.2f}", _met(of_import >= 0.25)),
        (exports, "at least 0.3 x COPY", f"{of_export:.2f}", _met(of_export >= 0.3)),
        *(
            (title, f"aim: {aim} {unit}", f"{once[of]:.1f} {unit}", _met(once[of] <= aim))
            for title, of, unit, aim in aims
        ),
    ]


def searches(times: Mapping[str, tuple[int, float]]) -> str:
    """Each search's statements and milliseconds, slowest first."""
    rows = sorted(((f"`{text}`", *figures) for text, figures in times.items()), key=lambda row: -row[2])
    over = sum(milliseconds > 50 for _, _, milliseconds in rows)
    return (
        "## Searches one by one\n\nMilliseconds of database time for the first page, one client, warm. "
        f"{over} of {len(rows)} take more than 50.\n\n"
        + table(("search", "statements", "ms"), [(text, sent, f"{taken:.0f}") for text, sent, taken in rows])
    )


def _met(yes: bool) -> str:  # noqa: FBT001 - a verdict, in words
    return "yes" if yes else "**no**"


def chart(scenarios: Sequence[Scenario]) -> str:
    """Bars of requests a second, scenario by scenario, each against its own fastest."""
    parts, y = [], 10
    for scenario in scenarios:
        parts.append(f'<text x="10" y="{y + 14}" font-weight="bold">{escape(scenario.title)}</text>')
        y += 24
        most = max(result.rate for result in scenario.results.values())
        for name, result in scenario.results.items():
            width = max(1, round((_WIDTH - _LEFT - 90) * result.rate / most))
            colour = _COLOURS.get(name, "#5b8dbf")
            parts.append(f'<text x="{_LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(name)}</text>')
            parts.append(f'<rect x="{_LEFT}" y="{y}" width="{width}" height="{_BAR}" fill="{colour}"/>')
            parts.append(f'<text x="{_LEFT + width + 6}" y="{y + 13}">{result.rate:,.0f}/s</text>')
            y += _BAR + _GAP
        y += 10
    style = 'font-family="sans-serif" font-size="12"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}" {style}>{"".join(parts)}</svg>\n'


def write(introduction: str, scenarios: Sequence[Scenario], others: Sequence[Line], sections: Sequence[str]) -> Path:
    """Write the report and its chart into the documentation."""
    text = "\n".join(
        (
            "# Benchmark\n", introduction, "![Requests a second](benchmark.svg)\n", "## What is demanded\n",
            verdicts(scenarios, others), *(section(scenario) for scenario in scenarios), *sections,
        )
    )  # fmt: skip
    target = _FOLDER / "benchmark.md"
    target.write_text(text)
    (_FOLDER / "benchmark.svg").write_text(chart(scenarios))
    return target
