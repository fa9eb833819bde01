"""Claims about WebShop: MEM1 against other memories over weights that were trained the same way."""

from collections.abc import Callable

from mem1.analysis.claims import Claim, Finding, Part, Printed
from mem1.analysis.claims_memory import TIME, TRAINED, printed_ratio
from mem1.analysis.evidence import Evidence
from mem1.analysis.metrics import METRICS

OWN, BEST, SMALL = "MEM1-WebShop", "AgentLM-13B", "AgentLM-7B"  # rows of the paper's Table 2
NO_WEBSHOP = "no system that plays WebShop was evaluated"


def reward(e: Evidence) -> Finding:
    """The final reward of MEM1 minus that of the baselines."""
    own, best = (e.expected.need("table2", row, None, "reward") for row in (OWN, BEST))
    quoted = Printed(
        what=f"reward, {OWN} minus {BEST}",
        value=own.value - best.value,
        source=own.source,
        where=own.table,
    )
    test = (
        "Final reward (0 to 1) of MEM1 minus that of every baseline with another memory is above 0"
    )
    shop = e.shop
    pair = shop.memories(*TRAINED, environment="webshop") if shop else None
    if shop is None or pair is None:
        return Finding(test, paper=[quoted], note=NO_WEBSHOP)
    systems = shop.analysis.systems
    others = [name for name, settings in systems.items() if settings.policy != "mem1"]
    others.sort(key=lambda name: name != pair.second)
    parts = [
        Part(
            f"{shop.label(pair.first)} minus {shop.label(other)}",
            "above",
            0.0,
            shop.minus((pair.first, 1, "reward"), (other, 1, "reward")),
            None if number else quoted,
            digits=3,
        )
        for number, other in enumerate(others)
    ]
    return Finding(test, parts)


def _cost(metric: str) -> Callable[[Evidence], Finding]:
    """A cost of full history over that of MEM1, against the paper's own ratio."""

    def find(e: Evidence) -> Finding:
        quoted = printed_ratio(e.expected, "table2", metric, (SMALL, None), (OWN, None))
        test = (
            f"{METRICS[metric].label} of full history over MEM1's, after the same training, is at "
            f"least the paper's ratio of the leanest trained baseline, {quoted.value:.2f}"
        )
        shop = e.shop
        pair = shop.memories(*TRAINED, environment="webshop") if shop else None
        if shop is None or pair is None:
            return Finding(test, paper=[quoted], note=NO_WEBSHOP)
        got = shop.over((pair.second, 1, metric), (pair.first, 1, metric))
        what = f"{shop.label(pair.second)} over {shop.label(pair.first)}"
        part = Part(what, "at least", quoted.value, got, quoted)
        return Finding(test, [part], note=TIME if metric == "seconds" else "")

    return find


CLAIMS = (
    Claim("webshop-reward", "In WebShop MEM1 earns the highest reward.", "P", "Table 2", reward),
    Claim(
        "webshop-peak",
        "In WebShop MEM1's peak is 2.8 times smaller than that of AgentLM-7B, the leanest trained "
        "baseline.",
        "P",
        "Table 2",
        _cost("peak"),
    ),
    Claim(
        "webshop-dependency",
        "In WebShop MEM1's dependency is 1.9 times smaller than that of AgentLM-7B.",
        "P",
        "Table 2",
        _cost("dependency"),
    ),
    Claim(
        "webshop-time",
        "In WebShop MEM1 is 1.5 times as fast as AgentLM-7B.",
        "P",
        "Table 2",
        _cost("seconds"),
    ),
)
