"""Rounds in turn: A, B, C, A, B, C ...; so that what drifts on the machine drifts for all of them."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.load import Measure, Round


@dataclass
class Result:
    """All rounds of one contender in one scenario; medians, and how far they lie apart."""

    rounds: list[Round] = field(default_factory=list)

    def median(self, of: str) -> float:
        figures: list[float] = [getattr(one, of) for one in self.rounds]
        return statistics.median(figures)

    @property
    def rate(self) -> float:
        return self.median("rate")

    @property
    def spread(self) -> float:
        """The range of the rates over their median."""
        rates = [one.rate for one in self.rounds]
        return (max(rates) - min(rates)) / self.rate

    @property
    def errors(self) -> int:
        return sum(one.errors for one in self.rounds)


@dataclass
class Scenario:
    """One comparison: who takes part, ours first, and what is demanded of it: against whom, and how often as many."""

    title: str
    contenders: Mapping[str, Measure]
    demands: Sequence[tuple[str, float]] = ()
    results: dict[str, Result] = field(default_factory=dict)

    def run(self, *, rounds: int, seconds: float, warm_up: float) -> None:
        """One warm-up each, then the rounds in turn."""
        for measure in self.contenders.values():
            measure(warm_up)
        self.results = {name: Result() for name in self.contenders}
        for n in range(rounds):
            for name, measure in self.contenders.items():
                self.results[name].rounds.append(measure(seconds))
            print(f"  {self.title}: round {n + 1} of {rounds}", flush=True)

    def ratio(self, other: str) -> float:
        """Ours to another's, the median of the ratios round by round: the same moments of the machine are compared."""
        ours = next(iter(self.results.values()))
        pairs = zip(ours.rounds, self.results[other].rounds, strict=True)
        return statistics.median(one.rate / two.rate for one, two in pairs)
