# What the workflow is for: tables, figures, claims. Functions only; they read CONFIG and P.

# The paper's tables besides Table 1, each as csv, md and tex.
PAPER_TABLES = ["table2", "table3", "table4", "format-reward"]
# What else `render_tables` writes besides table1.csv.
TABLES = ["table1.md", "table1.tex", "table1-full.md"]
TABLES += ["ratios.csv", "ratios.md", "manifest.json"]
# What it writes on ablations, where the configuration has any.
ABLATIONS = [
    "ablations.csv",
    "ablations.md",
    "ablations.tex",
    "ablations-comparisons.csv",
]
# What `render_figures` draws of evaluations; `curves` names what it draws of trainings.
FIGURES = ["budget", "figure2", "figure4", "figure5"]


def curves():
    """Names of the figures that show trainings, as far as there are runs for them."""
    return stages.frozen(CONFIG, "analysis").curves


def pictures(*kinds, names=None):
    """Files of figures; without names, of all that `render_figures` draws."""
    drawn = [*FIGURES, *curves()] if names is None else names
    return expand(f"{P}/figures/{{name}}.{{kind}}", name=drawn, kind=kinds)


def gaps():
    """What stands for the files of `mask_gap`, where a system is named for it."""
    return [f"{P}/mask_gap.manifest.json"] if CONFIG.mask_gap.system else []


def reference():
    """What describes the committed run of this preset; nothing where there is none."""
    path = repository(f"results/reference/{CONFIG.preset}/reference.json")
    return path if Path(path).is_file() else ""


def products():
    """What can be asked for by name, from records: name of the target to its files."""
    tables = ["table1", *PAPER_TABLES, *(["ablations"] if compared() else [])]
    beside = expand(f"{P}/figures/{{name}}.md", name=["figure5", "captions"])
    return {
        "tables": expand(f"{P}/tables/{{t}}.{{k}}", t=tables, k=["csv", "md", "tex"]),
        "figures": [*pictures("png", "svg", "pdf", "csv"), *beside],
        "claims": [f"{P}/claims.md", f"{P}/claims.json"],
    }


def pages():
    """Trajectories to look at."""
    return [
        f"{P}/trajectories.html",
        *([f"{P}/shopping.html"] if shop_systems() else []),
    ]


def targets():
    """All that a preset is for."""
    if CONFIG.preset == "base":
        return [f"{P}/base.done"]
    made = [file for files in products().values() for file in files]
    made += [*gaps(), *compared_retrievers(), *pages()]
    made += [f"{P}/reference.md"] if reference() else []
    receipts = expand(
        f"{P}/tracking/run-{{run}}.json", run=[*CONFIG.runs, *shop_runs()]
    )
    return [*made, *receipts, f"{P}/tracking/results.json"]
