"""Claims about WebShop. No system plays it yet, so each of them is *not run*."""

from collections.abc import Callable

from mem1.analysis.claims import Claim, Finding, Printed
from mem1.analysis.claims_memory import printed_ratio
from mem1.analysis.evidence import Evidence
from mem1.analysis.metrics import METRICS

OWN, BEST, SMALL = "MEM1-WebShop", "AgentLM-13B", "AgentLM-7B"  # rows of the paper's Table 2
NO_WEBSHOP = "no system of this preset plays WebShop"


def reward(e: Evidence) -> Finding:
    """The final reward of MEM1 minus that of the best baseline."""
    own, best = (e.expected.need("table2", row, None, "reward") for row in (OWN, BEST))
    quoted = Printed(
        what=f"reward, {OWN} minus {BEST}",
        value=own.value - best.value,
        source=own.source,
        where=own.table,
    )
    return Finding(
        "Final reward of MEM1 minus that of every baseline is above 0",
        paper=[quoted],
        note=NO_WEBSHOP,
    )


def _cost(metric: str) -> Callable[[Evidence], Finding]:
    """A cost of the leanest trained baseline over that of MEM1."""

    def find(e: Evidence) -> Finding:
        quoted = printed_ratio(e.expected, "table2", metric, (SMALL, None), (OWN, None))
        return Finding(
            f"{METRICS[metric].label} of the leanest trained baseline over MEM1's is at least "
            f"the paper's own ratio, {quoted.value:.2f}",
            paper=[quoted],
            note=NO_WEBSHOP,
        )

    return find


CLAIMS = (
    Claim("webshop-reward", "In WebShop MEM1 earns the highest reward.", "P", "Table 2", reward),
    Claim(
        "webshop-peak",
        "In WebShop MEM1 needs less memory than AgentLM-7B, the leanest trained baseline.",
        "P",
        "Table 2",
        _cost("peak"),
    ),
    Claim(
        "webshop-dependency",
        "In WebShop MEM1 attends to fewer tokens than AgentLM-7B, the leanest trained baseline.",
        "P",
        "Table 2",
        _cost("dependency"),
    ),
    Claim(
        "webshop-time",
        "In WebShop MEM1 is faster than AgentLM-7B, the leanest trained baseline.",
        "P",
        "Table 2",
        _cost("seconds"),
    ),
)
