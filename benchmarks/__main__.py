"""`make bench`: measures the service, the peers and the limits in one run, and writes the report.

With --guard it measures the short form and fails when a ratio to the floor has fallen by a third.
"""

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from pathlib import Path

import yaml

from benchmarks import plan, report, whole
from benchmarks.database import Databases, databases, run
from benchmarks.measure import Scenario

_KEPT = Path(__file__).parent / "guard.yml"
_INTRODUCTION = """Written by `make bench`. {machine}

Every contender takes its rounds in turn with the others, after a warm-up; figures are medians, and a ratio is the
median of the ratios round by round. On shared machines only ratios of one run mean something. *Ours* is the service as
it is shipped, one worker, with metrics, JSON access log and request ids on; the log goes to a file. *Textbook* and
*fastify* are the frozen peers of `benchmarks/peers`, which do less for each request (their README says what). *Floor*
is a server that answers with the same bytes to everything; *pgbench* runs the service's own statements, prepared, on as
many connections (32; for bulk 2). PostgreSQL has fsync and synchronous_commit on.
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--goods", type=int, default=200_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round")
    parser.add_argument("--guard", action="store_true", help="the short form")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="goods-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with databases(folder / "postgres") as made:
            (_guard if chosen.guard else _measure)(made, folder, chosen)


def _guard(made: Databases, folder: Path, chosen: argparse.Namespace) -> None:
    run(made.make(plan.SHOP, chosen.goods))
    kept: dict[str, float] = yaml.safe_load(_KEPT.read_text())
    fallen = []
    with contextlib.ExitStack() as stack:
        for scenario in plan.guard(plan.Bench(made, folder, stack), chosen.goods):
            _run(scenario, chosen)
            found, least = scenario.ratio("floor: asgi"), kept[scenario.title] * 2 / 3
            print(f"{scenario.title}: {found:.3f} of the floor, at least {least:.3f} is demanded")
            errors = next(iter(scenario.results.values())).errors
            fallen += [scenario.title] if found < least or errors else []
    if fallen:
        sys.exit(f"slower by a third than {_KEPT.name} says, or with errors: {', '.join(fallen)}")


def _measure(made: Databases, folder: Path, chosen: argparse.Namespace) -> None:
    small = chosen.goods // 20
    start = whole.cold_start(folder)
    for name, goods in ((plan.SHOP, chosen.goods), (plan.SMALL, small), (plan.LARGE, chosen.large)):
        print(f"loading {goods:,} goods", flush=True)
        run(made.make(name, goods))
    run(made.make_peers(plan.PEERS, plan.SHOP))
    with contextlib.ExitStack() as stack:
        bench = plan.Bench(made, folder, stack)
        done = [_run(scenario, chosen) for scenario in plan.against_peers(bench, chosen.goods)]
        own = bench.servers["ours"]
        once = {"start": start, "scrape": whole.scrape(own), "memory after": own.memory_mib()}
    with contextlib.ExitStack() as stack:
        bench = plan.Bench(made, folder, stack)
        done += [_run(scenario, chosen) for scenario in plan.of_scale(bench, chosen.large, small)]
        once["memory at rest"] = bench.resting["ours large"]
        once |= run(whole.export_and_copy(bench.servers["ours large"], made, plan.LARGE, folder))
    searches = run(_searches(made))
    once |= run(whole.import_and_copy(made, chosen.large, folder))
    introduction = _INTRODUCTION.format(machine=report.machine(run(made.version())))
    print(report.write(introduction, done, report.measured_once(once, chosen.large), [searches]))


def _run(scenario: Scenario, chosen: argparse.Namespace) -> Scenario:
    scenario.run(rounds=chosen.rounds, seconds=chosen.seconds, warm_up=min(2.0, chosen.seconds))
    print(report.section(scenario), flush=True)
    return scenario


async def _searches(made: Databases) -> str:
    """The database's time for the first page of each search, the median of 5."""
    connection = await made.connect(plan.LARGE)
    times: dict[str, tuple[int, float]] = {}
    for text, sent in await plan.sent_by_searches(made):
        taken = []
        for _ in range(5):
            began = time.perf_counter()
            for sql in sent:
                await connection.fetch(sql.rstrip(";\n"))
            taken.append((time.perf_counter() - began) * 1000)
        times[text] = len(sent), statistics.median(taken)
    await connection.close()
    return report.searches(times)


if __name__ == "__main__":
    main()
