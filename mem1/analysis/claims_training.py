"""Claims about training: RL against SFT, beyond the trained horizon, the format reward."""

from collections.abc import Callable

from mem1.analysis import ablations
from mem1.analysis.claims import Claim, Finding, Part, Printed
from mem1.analysis.evidence import Evidence
from mem1.analysis.metrics import METRICS

RL, SFT = "MEM1-QA", "MEM1-QA (SFT)"  # rows of the paper's Table 4
FEW, MANY = 2, 16  # objectives between which SFT collapses there
PAPER_TRAINED_ON = 2  # objectives
NO_SFT = "no MEM1 after RL and after SFT is in this preset"
NO_RL = "no MEM1 after RL is in this preset"
NO_FORMAT = "no training with the format reward is in this preset; `mini` and `ablations` have it"
ONE_EACH = "one training of each says nothing of how fast one converges; `ablations` has three"


def _panels(e: Evidence) -> str:
    """Which of the paper's numbers of objectives the preset leaves out, in words."""
    paper = {row.horizon for row in e.expected.table4.rows if row.horizon is not None}
    missing = sorted(paper - set(e.analysis.horizons))
    return f"no panel of {', '.join(map(str, missing))} objectives" if missing else ""


def _gain(e: Evidence, horizon: int) -> Printed | None:
    """EM of RL minus that of SFT in the paper's Table 4, where it has both."""
    first, second = (e.expected.cell("table4", name, horizon, "em") for name in (RL, SFT))
    if first is None or second is None:
        return None
    return Printed(
        what=f"EM, RL minus SFT at {horizon}",
        value=first.value - second.value,
        source=first.source,
        where=first.table,
    )


def rl_above_sft(e: Evidence) -> Finding:
    """EM of RL minus EM of SFT, at every number of objectives."""
    test = "EM of MEM1 after RL minus EM after SFT is above 0 at every number of objectives"
    pair = e.trainings()
    if pair is None:
        quoted = [_gain(e, row.horizon or 0) for row in e.expected.table4.rows if row.name == RL]
        return Finding(test, paper=[one for one in quoted if one], note=NO_SFT)
    parts = [
        Part(
            str(horizon),
            "above",
            0.0,
            e.minus((pair.first, horizon, "em"), (pair.second, horizon, "em")),
            _gain(e, horizon),
        )
        for horizon in e.analysis.horizons
    ]
    return Finding(test, parts, note=_panels(e))


def sft_collapses(e: Evidence) -> Finding:
    """EM of SFT at many objectives minus that at few."""
    many, few = (e.expected.need("table4", SFT, horizon, "em") for horizon in (MANY, FEW))
    quoted = Printed(
        what=f"EM of {SFT} at {MANY} minus at {FEW}",
        value=many.value - few.value,
        source=many.source,
        where=many.table,
    )
    test = f"EM of MEM1 after SFT at {MANY} objectives minus at {FEW} is below 0"
    pair = e.trainings()
    if pair is None:
        return Finding(test, paper=[quoted], note=NO_SFT)
    sft, rl = (
        e.minus((system, MANY, "em"), (system, FEW, "em")) for system in (pair.second, pair.first)
    )
    return Finding(
        test,
        [
            Part(e.label(pair.second), "below", 0.0, sft, quoted),
            Part(f"beside it, {e.label(pair.first)}", "below", 0.0, rl, decides=False),
        ],
    )


def generalizes(e: Evidence) -> Finding:
    """EM beyond the horizon that RL trained on minus EM on it."""
    trained = e.analysis.rl_horizon or PAPER_TRAINED_ON
    test = (
        f"EM of MEM1 at every larger number of objectives minus its EM at {trained}, which RL "
        f"trained on, is above 0"
    )

    def quoted(horizon: int) -> Printed | None:
        here, there = (e.expected.quote(RL, h, "em") for h in (horizon, PAPER_TRAINED_ON))
        if here is None or there is None:
            return None
        return Printed(
            what=f"EM of {RL} at {horizon} minus at {PAPER_TRAINED_ON}",
            value=here.value - there.value,
            source=here.source,
            where=here.table,
        )

    system = e.mem1()
    beyond = [horizon for horizon in e.analysis.horizons if horizon > trained]
    others = [quoted(horizon) for horizon in (8, MANY) if horizon not in beyond or system is None]
    paper = [one for one in others if one]
    if system is None or not beyond:
        return Finding(test, paper=paper, note=NO_RL if system is None else _panels(e))
    parts = [
        Part(
            str(horizon),
            "above",
            0.0,
            e.minus((system, horizon, "em"), (system, trained, "em")),
            quoted(horizon),
        )
        for horizon in beyond
    ]
    warm = e.analysis.warm_start_to
    notes = [f"supervised training before RL covered up to {warm} objectives"] if warm else []
    notes += [panels] if (panels := _panels(e)) else []
    return Finding(test, parts, paper, "; ".join(notes))


def _format(metric: str, quantity: str) -> Callable[[Evidence], Finding]:
    """One of the statements of ``ablations`` on the format reward."""

    def find(e: Evidence) -> Finding:
        test = f"{quantity} with the format reward minus without is below 0"
        every = ablations.statements(e.measured, e.curves, e.analysis, e.expected)
        found = [statement for statement in every if statement.metric == metric]
        if not found:
            return Finding(test, paper=_quotes(e, metric), note=NO_FORMAT)
        parts = []
        for statement in found:
            horizon = statement.horizon
            quote = None
            if statement.paper is not None:
                used, unused = statement.paper
                quote = Printed(
                    what=f"{quantity}, {horizon} objectives: with minus without",
                    value=used.value - unused.value,
                    source=used.source,
                    where=used.table,
                )
            one_each = all(len(arm.runs) == 1 for arm in statement.arms) and horizon is None
            with_it, without = (arm.name for arm in statement.arms)
            parts.append(
                Part(
                    f"{with_it} against {without}",
                    "below",
                    0.0,
                    statement.difference,
                    quote,
                    decides=not one_each,
                    digits=statement.digits + 1,
                    over_tasks=horizon is not None,
                )
            )
        decided = any(part.decides for part in parts)
        return Finding(test, parts, note="" if decided else ONE_EACH)

    return find


def _quotes(e: Evidence, metric: str) -> list[Printed]:
    """The paper's two numbers of its ablation; it has none for how fast training converges."""
    rows = [(row.name, row.horizon) for row in e.expected.format_reward.rows]
    found = [(name, e.expected.cell("format_reward", name, h, metric)) for name, h in rows]
    return [
        Printed(
            what=f"{METRICS[metric].label}, {name} the format reward",
            value=quote.value,
            source=quote.source,
            where=quote.table,
        )
        for name, quote in found
        if quote is not None
    ]


CLAIMS = (
    Claim(
        "rl-above-sft",
        "RL is above SFT at every number of objectives.",
        "S",
        "Table 4",
        rl_above_sft,
    ),
    Claim(
        "sft-collapses",
        "What SFT learns on 1 to 3 objectives collapses as objectives grow.",
        "S",
        "Table 4",
        sft_collapses,
    ),
    Claim(
        "generalizes",
        "Trained on 2 objectives, MEM1 has more right answers at every larger number, up to 16.",
        "P",
        "abstract, Table 1",
        generalizes,
    ),
    Claim(
        "format-reward-faster",
        "With a format reward, training converges faster.",
        "S",
        "Figure 7",
        _format("rounds", "Rounds until training EM has nine tenths of its climb,"),
    ),
    Claim(
        "format-reward-worse",
        "With a format reward, fewer questions are answered right.",
        "S",
        "format-reward ablation",
        _format("em", "EM"),
    ),
    Claim(
        "format-reward-peak",
        "With a format reward, the peak is smaller.",
        "S",
        "format-reward ablation",
        _format("peak", "Peak"),
    ),
)
