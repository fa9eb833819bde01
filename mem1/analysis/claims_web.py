"""Claims about web search, with a model that was trained to search passages."""

from collections.abc import Callable
from dataclasses import replace

from mem1.analysis.claims import Claim, Finding, Part, Printed
from mem1.analysis.claims_memory import NO_PAIR, TRAINED, cost_at_one
from mem1.analysis.evidence import Evidence

STAND_IN = "the preset's own passages stand in for the web, in the form of its search results"
NO_WEB = "no system of this preset searches the web"
NOT_THE_SAME = "no system that searches the web has the weights and the memory of MEM1"
WEB_SHARE = 0.9  # of the EM on Wikipedia that counts as "about the same"


def web_transfer(e: Evidence) -> Finding:
    """EM on the web over EM on Wikipedia, of the same weights."""
    first = e.expected.headline.first
    web = e.expected.need("table3_web", first, 1, "em")
    wiki = e.expected.need("table3", first, 1, "em")
    quoted = Printed(
        what=f"EM of {first}, web over Wikipedia",
        value=web.value / wiki.value,
        source=web.source,
        where="Table 3",
    )
    test = (
        f"EM of MEM1 at one objective when it searches the web is at least {WEB_SHARE:g} of that "
        f"on what it was trained to search, without further training"
    )
    systems = e.analysis.systems
    own = e.mem1()
    alike = ("engine", "run", "model", "server", "policy", "prompt")
    there = [
        name
        for name, settings in e.analysis.of_environment("web").items()
        if own and all(getattr(settings, key) == getattr(systems[own], key) for key in alike)
    ]
    if own is None or not there:
        return Finding(test, paper=[quoted], note=NO_PAIR if own is None else NOT_THE_SAME)
    got = e.over((there[0], 1, "em"), (own, 1, "em"))
    what = f"{e.label(there[0])} over {e.label(own)}"
    return Finding(test, [Part(what, "at least", WEB_SHARE, got, quoted)])


def web_em(e: Evidence) -> Finding:
    """EM on the web, MEM1 minus full history."""
    first, rows = e.expected.headline.first, e.expected.table3_web.rows
    own = e.expected.need("table3_web", first, 1, "em")
    best = max(
        e.expected.need("table3_web", row.name, 1, "em").value for row in rows if row.name != first
    )
    quoted = Printed(
        what=f"EM of {first} minus the best other row's, web",
        value=own.value - best,
        source=own.source,
        where=own.table,
    )
    test = "EM of MEM1 minus EM of full history, both searching the web, is above 0"
    pair = e.memories(*TRAINED, environment="web")
    if pair is None:
        return Finding(test, paper=[quoted], note=NO_PAIR)
    got = e.minus((pair.first, 1, "em"), (pair.second, 1, "em"))
    what = f"{e.label(pair.first)} minus {e.label(pair.second)}"
    return Finding(test, [Part(what, "above", 0.0, got, quoted)])


def _about_web(find: Callable[[Evidence], Finding]) -> Callable[[Evidence], Finding]:
    """``find``, whose finding says what the web is here, where it is not the web."""

    def noted(e: Evidence) -> Finding:
        finding = find(e)
        if not e.analysis.of_environment("web"):
            return replace(finding, note=NO_WEB)
        notes = [finding.note, STAND_IN if e.analysis.web_stand_in else ""]
        return replace(finding, note="; ".join(filter(None, notes)))

    return noted


CLAIMS = (
    Claim(
        "web-transfer",
        "Trained on Wikipedia, MEM1 answers about as many questions right with web search.",
        "P",
        "Table 3",
        _about_web(web_transfer),
    ),
    Claim(
        "web-em",
        "With web search MEM1 answers more questions right than the baselines.",
        "P",
        "Table 3",
        _about_web(web_em),
    ),
    Claim(
        "web-peak",
        "With web search MEM1 needs less memory than agents with full history.",
        "P",
        "Table 3",
        _about_web(cost_at_one("peak", "table3_web")),
    ),
)
