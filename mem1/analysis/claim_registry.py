"""Which statements of the paper are tested. A new one is a function and an entry of a list."""

from mem1.analysis import claims_memory, claims_training, claims_web, claims_webshop
from mem1.analysis.claims import Claim, Result, decide
from mem1.analysis.evidence import Evidence

CLAIMS: tuple[Claim, ...] = (
    *claims_memory.CLAIMS,
    *claims_web.CLAIMS,
    *claims_training.CLAIMS,
    *claims_webshop.CLAIMS,
)


def results(evidence: Evidence) -> list[Result]:
    """Every claim with its verdict."""
    return [decide(claim, evidence) for claim in CLAIMS]


def headline(evidence: Evidence) -> list[Result]:
    """The claims of the abstract and of section 4 on 16 objectives."""
    return [decide(claim, evidence) for claim in claims_memory.HEADLINE]
