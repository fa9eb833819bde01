"""All tables, and the claims, as texts by the names of their files."""

from collections.abc import Sequence

from mem1.analysis import (
    ablation_tables,
    ablations,
    claim_registry,
    claim_report,
    latex,
    paper_tables,
    ratios,
    summary,
    table1,
    table2,
    tables,
)
from mem1.analysis.claims import Result
from mem1.analysis.evidence import Evidence


def claims_of(results: Sequence[Result], evidence: Evidence) -> dict[str, str]:
    """What ``mem1.render_claims`` writes of ``results``, by file name."""
    found = claim_report.report(results, evidence.analysis, evidence.expected)
    return {
        "claims.md": claim_report.to_markdown(found),
        "claims.json": claim_report.to_json(found),
    }


def tables_of(evidence: Evidence) -> dict[str, str]:
    """What ``mem1.render_tables`` writes, by file name. The same evidence gives the same bytes."""
    measured, trained = evidence.measured, evidence.curves
    analysis, paper = evidence.analysis, evidence.expected
    cells = summary.summarize(measured, analysis)
    rows = tables.lines(cells, analysis, paper)
    others = tables.other_lines(analysis, paper)
    divided, gains = ratios.ratios(evidence), ratios.gains(evidence)
    headline = claim_registry.headline(evidence)
    texts = {
        "table1.csv": tables.to_csv([*rows, *others]),
        "table1.md": table1.short(rows, headline, analysis),
        "table1-full.md": table1.full(rows, others, divided, gains, analysis, paper),
        "table1.tex": latex.by_horizon(rows, analysis),
        "ratios.csv": ratios.to_csv(divided, gains),
        "ratios.md": table1.ratio_section(divided, gains, analysis),
    }
    arms = ablations.summarize(measured, analysis)
    ends = ablations.trained(trained, analysis)
    for sheet in (
        table2.table2(evidence.shopped, analysis, paper),
        paper_tables.table3(cells, analysis, paper),
        paper_tables.table4(cells, analysis, paper),
        paper_tables.format_reward(arms, ends, analysis, paper),
    ):
        texts |= paper_tables.files(sheet, analysis)
    return texts | ablation_tables.texts(measured, trained, analysis, paper)
