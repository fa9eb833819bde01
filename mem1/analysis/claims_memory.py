"""Claims about memory: the headline, constant context, and one objective."""

from collections.abc import Callable

from mem1.analysis.claims import Claim, Finding, Part, Printed, Side
from mem1.analysis.evidence import Evidence
from mem1.analysis.expected import Expected, TableName
from mem1.analysis.metrics import METRICS
from mem1.analysis.settings import Stage
from mem1.config_systems import EnvironmentName

NO_PAIR = (
    "no MEM1 and full history with the same training, evaluated on questions, are in this preset"
)
TIME = "wall time depends on the machine, and on how many trajectories run together"
LONG = (8, 16)  # objectives at which the paper's Table 1 puts MEM1 above all
FEW, MANY = 2, 16  # objectives between which the paper's peak grows by 10.4 / 6.40
TRAINED: tuple[Stage, ...] = ("rl", "given")


def printed_ratio(
    expected: Expected,
    table: TableName,
    metric: str,
    top: tuple[str, int | None],
    bottom: tuple[str, int | None],
) -> Printed:
    """The paper's number of one row over that of another, each a name and a horizon."""
    above, below = (expected.need(table, *key, metric) for key in (top, bottom))
    rows = " over ".join(
        name if horizon is None else f"{name} at {horizon}" for name, horizon in (top, bottom)
    )
    value = above.value / below.value
    what = f"{METRICS[metric].label}, {rows}"
    return Printed(what=what, value=value, source=above.source, where=above.table)


def _headline(
    metric: str, side: Side, claim: Callable[[Expected], float], first_on_top: bool
) -> Callable[[Evidence], Finding]:
    """A ratio at the headline's horizon, against what the paper says of it."""
    # An oracle reads and answers without a model: its contexts are real, the rest is not.
    stages: tuple[Stage, ...] = (*TRAINED, "oracle") if metric == "peak" else TRAINED

    def find(e: Evidence) -> Finding:
        head, bound = e.expected.headline, claim(e.expected)
        rows = [head.first, head.second] if first_on_top else [head.second, head.first]
        quoted = printed_ratio(e.expected, "table1", metric, *((row, head.horizon) for row in rows))
        words = ["MEM1", "full history"] if first_on_top else ["full history", "MEM1"]
        test = (
            f"{METRICS[metric].label} of {' over '.join(words)} at {head.horizon} objectives is "
            f"{side} {bound:g} (full history: after the same training, or {head.second} where it "
            f"is run)"
        )
        pair = e.memories(*stages)
        own, other = e.of_row(head.first), e.of_row(head.second)
        pairs = [(own, other)] if own and other else []
        pairs += [(pair.first, pair.second)] if pair else []
        parts: list[Part] = []
        for systems in pairs:  # the first decides
            order = systems if first_on_top else systems[::-1]
            parts.append(
                Part(
                    f"{head.horizon} objectives, {' over '.join(map(e.label, order))}",
                    side,
                    bound,
                    e.over(*((system, head.horizon, metric) for system in order)),
                    None if parts else quoted,
                    decides=not parts,
                    digits=3 if metric != "em" and first_on_top else 2,
                )
            )
        if not parts:
            return Finding(test, paper=[quoted], note=NO_PAIR)
        return Finding(test, parts, note=TIME if metric == "seconds" else "")

    return find


def near_constant(e: Evidence) -> Finding:
    """Growth of MEM1's peak, against the paper's own."""
    first = e.expected.headline.first
    quoted = printed_ratio(e.expected, "table1", "peak", (first, MANY), (first, FEW))
    bound = quoted.value
    test = (
        f"MEM1's peak without the task prompt grows from {FEW} to {MANY} objectives by a factor "
        f"of at most the paper's own, {bound:.3f}"
    )
    pair = e.memories(*TRAINED, "oracle")
    system = pair.first if pair else e.mem1()
    if system is None:
        return Finding(test, paper=[quoted], note=NO_PAIR)
    without, whole = (
        e.over((system, MANY, metric), (system, FEW, metric))
        for metric in ("peak_without_prompt", "peak")
    )
    label = e.label(system)
    return Finding(
        test,
        [
            Part(f"{label}, without the prompt", "at most", bound, without, quoted),
            Part(f"{label}, with the prompt", "at most", bound, whole, decides=False),
        ],
    )


def grows_slower(e: Evidence) -> Finding:
    """Growth of MEM1's peak over that of full history's."""
    head = e.expected.headline
    own, other = (
        printed_ratio(e.expected, "table1", "peak", (row, MANY), (row, FEW))
        for row in (head.first, head.second)
    )
    what = f"growth of the peak from {FEW} to {MANY} objectives, {head.first} over {head.second}"
    quoted = Printed(what=what, value=own.value / other.value, source=own.source, where=own.where)
    test = (
        f"MEM1's peak grows from {FEW} to {MANY} objectives by a smaller factor than that of "
        f"full history after the same training: the ratio of the factors is below 1"
    )
    pair = e.memories(*TRAINED, "oracle")
    if pair is None:
        return Finding(test, paper=[quoted], note=NO_PAIR)
    got = e.interval(
        lambda many, few, full_many, full_few: many / few / (full_many / full_few),
        *((system, h, "peak") for system in (pair.first, pair.second) for h in (MANY, FEW)),
        least=0.0,
    )
    what = f"{e.label(pair.first)} over {e.label(pair.second)}"
    return Finding(test, [Part(what, "below", 1.0, got, quoted)])


def best_at_long(e: Evidence) -> Finding:
    """EM of MEM1 minus that of every system with another memory."""
    head = e.expected.headline
    test = (
        f"EM of MEM1 minus EM of every system with another memory is above 0, at "
        f"{' and '.join(map(str, LONG))} objectives"
    )
    quoted = [
        Printed(
            what=f"EM of {head.first} minus the best other row's, {horizon} objectives",
            value=e.expected.need("table1", head.first, horizon, "em").value
            - max(
                e.expected.need("table1", row.name, horizon, "em").value
                for row in e.expected.table1.rows
                if row.horizon == horizon and row.name != head.first
            ),
            source="P",
            where="Table 1",
        )
        for horizon in LONG
    ]
    system = e.mem1()
    others = [
        name
        for name, settings in e.analysis.of_environment("wiki").items()
        if settings.policy != "mem1" and settings.engine != "oracle-reader"
    ]
    if system is None or not others:
        return Finding(test, paper=quoted, note=NO_PAIR)
    parts = [
        Part(
            f"{e.label(other)} at {horizon}",
            "above",
            0.0,
            e.minus((system, horizon, "em"), (other, horizon, "em")),
        )
        for horizon in LONG
        for other in others
    ]
    return Finding(test, parts, quoted)


def full_degrades(e: Evidence) -> Finding:
    """EM of full history at the largest horizon minus that at the one before."""
    row = e.expected.headline.second
    few, many = LONG
    values = [e.expected.need("table1", row, horizon, "em").value for horizon in (many, few)]
    quoted = Printed(
        what=f"EM of {row} at {many} minus at {few}",
        value=values[0] - values[1],
        source="P",
        where="Table 1",
    )
    test = f"EM of full history at {many} objectives minus at {few} is below 0"
    pair = e.memories(*TRAINED)
    if pair is None:
        return Finding(test, paper=[quoted], note=NO_PAIR)
    got = e.minus((pair.second, many, "em"), (pair.second, few, "em"))
    return Finding(test, [Part(e.label(pair.second), "below", 0.0, got, quoted)])


def cost_at_one(metric: str, table: TableName) -> Callable[[Evidence], Finding]:
    """A cost of MEM1 over that of full history at one objective."""
    environment: EnvironmentName = "web" if table == "table3_web" else "wiki"
    place = "searching the web" if environment == "web" else "at one objective"

    def find(e: Evidence) -> Finding:
        first = e.expected.headline.first
        quoted = printed_ratio(e.expected, table, metric, (first, 1), ("Qwen2.5-7B-Inst", 1))
        test = (
            f"{METRICS[metric].label} of MEM1 over full history, {place}, after the same "
            f"training, is below 1"
        )
        pair = e.memories(*TRAINED, "oracle", environment=environment)
        if pair is None:
            return Finding(test, paper=[quoted], note=NO_PAIR)
        got = e.over((pair.first, 1, metric), (pair.second, 1, metric))
        what = f"{e.label(pair.first)} over {e.label(pair.second)}"
        return Finding(test, [Part(what, "below", 1.0, got, quoted)])

    return find


HEADLINE = (
    Claim(
        "em-ratio-16",
        "At 16 objectives MEM1 answers 3.5 times as many questions right as Qwen2.5-14B-Instruct.",
        "P",
        "abstract",
        _headline("em", "at least", lambda x: x.headline.em_ratio, True),
    ),
    Claim(
        "peak-ratio-16",
        "At 16 objectives its memory is 3.7 times smaller than that of Qwen2.5-14B-Instruct.",
        "P",
        "abstract",
        _headline("peak", "at least", lambda x: x.headline.peak_ratio, False),
    ),
    Claim(
        "peak-share-16",
        "At 16 objectives its peak is 27.1 % of that of Qwen2.5-14B-Instruct.",
        "P",
        "section 4",
        _headline("peak", "at most", lambda x: x.headline.peak_share, True),
    ),
    Claim(
        "time-share-16",
        "At 16 objectives its time is 29.3 % of that of Qwen2.5-14B-Instruct.",
        "P",
        "section 4",
        _headline("seconds", "at most", lambda x: x.headline.time_share, True),
    ),
)
CLAIMS = (
    *HEADLINE,
    Claim(
        "peak-near-constant",
        "MEM1's peak stays nearly constant as objectives grow from 2 to 16.",
        "P",
        "Figure 4, Table 1",
        near_constant,
    ),
    Claim(
        "peak-grows-slower",
        "MEM1's peak grows more slowly with the objectives than that of agents with full history.",
        "P",
        "Figure 4, Table 1",
        grows_slower,
    ),
    Claim(
        "best-at-long-horizons",
        "At 8 and 16 objectives MEM1 has more right answers than all baselines.",
        "P",
        "Table 1",
        best_at_long,
    ),
    Claim(
        "full-history-degrades",
        "Agents with full history break down when objectives grow from 8 to 16.",
        "P",
        "Table 1",
        full_degrades,
    ),
    Claim(
        "single-objective-peak",
        "At one objective, too, MEM1 needs less memory than agents with full history.",
        "P",
        "Table 3",
        cost_at_one("peak", "table3"),
    ),
    Claim(
        "single-objective-dependency",
        "At one objective, too, MEM1 attends to fewer tokens than agents with full history.",
        "P",
        "Table 3",
        cost_at_one("dependency", "table3"),
    ),
)
