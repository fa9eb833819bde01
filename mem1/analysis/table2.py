"""Table 2, WebShop: our shoppers beside the paper's rows.

Reward is 100 times the mean, success the share of goals with the whole reward (the paper prints
none). Its shop, model and tokenizer are other ones than ours, and so are its baselines: ours differ
from MEM1 in their memory alone.
"""

from mem1.analysis.expected import Expected
from mem1.analysis.paper_tables import Key, Sheet, not_run
from mem1.analysis.settings import Analysis
from mem1.analysis.summary import Measured, summarize
from mem1.analysis.tables import SPECS, Line, measured_line, paper_cell

COLUMNS = ("reward", "success", "peak", "dependency", "seconds", "turns")
KEYS: list[Key] = [(1, metric) for metric in COLUMNS]


def _paper_row(expected: Expected, name: str) -> Line:
    found = {metric: expected.cell("table2", name, None, metric) for metric in COLUMNS}
    cells = {
        (1, metric): paper_cell(name, 1, metric, quote, "webshop")
        for metric, quote in found.items()
        if quote is not None
    }
    return Line(name, True, cells)


def table2(measured: Measured, analysis: Analysis, expected: Expected) -> Sheet:
    """Reward and costs of the systems in ``analysis.shop``, each with its row of the paper.

    ``measured`` is what ``summary.load_shop`` found.
    """
    shop = analysis.shop
    rows: list[Line] = []
    named = []
    remarks = ["No system of this preset shops."]
    if shop is not None:
        cells = summarize(measured, shop, COLUMNS)
        for system, settings in shop.systems.items():
            rows.append(measured_line(cells, shop, system, [1], COLUMNS))
            if settings.paper is not None:
                named.append(settings.paper)
                rows.append(_paper_row(expected, settings.paper))
        remarks = [
            f"Tokens are counted with: {shop.counted_in()}.",
            "Success is a reward of 1; the paper prints none.",
            "A turn that does nothing on its page counts like any other.",
        ]
    if not rows:
        rows.append(not_run("Ours", KEYS, "webshop"))
    rest = [row.name for row in expected.table2.rows if row.name not in named]
    return Sheet(
        "table2",
        "Table 2: WebShop",
        [SPECS[metric].heading for metric in COLUMNS],
        KEYS,
        [("WebShop", [*rows, *(_paper_row(expected, name) for name in rest)])],
        remarks,
        expected.notes_on("table2"),
    )
