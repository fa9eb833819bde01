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


def intermediates():
    """What stands for all that lies between the inputs and `products`.

    Snakemake misses a file only where it is asked for: of one that was deleted, or put aside
    because it was damaged, it says nothing as long as what was made of it is there.
    """
    hub = CONFIG.sources.kind == "hub"
    learning = ["train"] if CONFIG.runs else []
    splits = [*learning, *(["test"] if CONFIG.systems else [])]
    folders = dict.fromkeys(name for s in splits for name in (s, corpus(s)))
    panels = [str(h) for h in CONFIG.tasks.test_horizons] if CONFIG.systems else []
    own = [] if hub or not splits else [f"{P}/tokenizer.manifest.json"]
    made = [*own, *expand(f"{P}/world/{{folder}}/manifest.json", folder=folders)]
    made += [file for split in splits for file in index_files(split)]
    made += expand(f"{P}/tasks/test-{{horizon}}.manifest.json", horizon=panels)
    if runs_of("rl"):
        made.append(f"{P}/tasks/train-{CONFIG.tasks.train_horizon}.manifest.json")
    if shop_systems():
        made += [f"{P}/webshop/tokenizer.manifest.json"] if shop_runs() else []
        made += shop_goals("test") + (shop_goals("train") if shop_runs("rl") else [])
    return [*made, *distilled(), *manifests(), *records(), *shop_records()]


def targets():
    """All that a preset is for."""
    if CONFIG.preset == "base":
        return [f"{P}/base.done"]
    made = [*intermediates(), *(f for files in products().values() for f in files)]
    made += [*gaps(), *compared_retrievers(), *pages()]
    made += [f"{P}/reference.md"] if reference() else []
    receipts = expand(
        f"{P}/tracking/run-{{run}}.json", run=[*CONFIG.runs, *shop_runs()]
    )
    return [*made, *receipts, f"{P}/tracking/results.json"]
