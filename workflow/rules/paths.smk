# Which files belong to what. Functions only; they read CONFIG and P.

# What `render_tables` writes besides table1.csv.
TABLES = [
    "table1.md",
    "table1.tex",
    "table1-full.md",
    "ratios.csv",
    "ratios.md",
    "manifest.json",
]
# What it writes on ablations, where the configuration has any.
ABLATIONS = [
    "ablations.csv",
    "ablations.md",
    "ablations.tex",
    "ablations-comparisons.csv",
]


def only(names):
    """A wildcard's pattern that matches ``names`` and nothing else."""
    return "|".join(map(re.escape, names)) or "(?!)"


def runs_of(stage):
    """Names of the training runs of a stage."""
    return [name for name, run in CONFIG.runs.items() if run.stage == stage]


def model_files(folder):
    """The files of a saved model that stand for all of it; published ones can be in shards."""
    shards = Path(folder, "model.safetensors.index.json")
    weights = shards if shards.is_file() else f"{folder}/model.safetensors"
    return [f"{folder}/config.json", str(weights)]


def start_folder(wildcards):
    """What a run starts from: the word scratch, or the folder of a model."""
    start = CONFIG.runs[wildcards.run].start
    if start == "base":
        return repository(CONFIG.base_model)
    return start if start == "scratch" else f"{P}/train/{start}/model"


def start_files(wildcards):
    """The files behind ``start_folder``."""
    start = CONFIG.runs[wildcards.run].start
    return [] if start == "scratch" else model_files(start_folder(wildcards))


def checkpoints(name, stage):
    """Where a training keeps its checkpoints: another place for other settings."""
    settings = stages.frozen(CONFIG, stage).model_dump(mode="json")
    return f"{P}/checkpoints/{name}/{json_digest(settings)[:12]}"


def system_model(wildcards):
    """The folder of a system's weights, or an empty list for an oracle."""
    run = CONFIG.systems[wildcards.system].run
    return f"{P}/train/{run}/model" if run else []


def system_files(wildcards):
    """The files behind ``system_model``."""
    folder = system_model(wildcards)
    return model_files(folder) if folder else []


def records():
    """The evaluation records of all systems and horizons."""
    horizons = CONFIG.tasks.test_horizons
    return expand(f"{P}/eval/{{s}}/{{h}}.jsonl", s=CONFIG.systems, h=horizons)


def manifests():
    """The manifests of all training runs."""
    return expand(f"{P}/train/{{run}}/manifest.json", run=CONFIG.runs)


def metrics(runs):
    """What trainings have logged."""
    return expand(f"{P}/train/{{run}}/metrics.jsonl", run=runs)


def compared():
    """The runs of ablations; in most presets there are none."""
    arms = stages.frozen(CONFIG, "analysis").arms
    return [run for arm in arms for run in arm.runs]


def curves():
    """Names of the figures that show trainings, as far as there are runs for them."""
    return stages.frozen(CONFIG, "analysis").curves


def pictures(*kinds, names=None):
    """Files of figures; without names, of all that `render_figures` draws."""
    drawn = ["figure4", *curves()] if names is None else names
    return expand(f"{P}/figures/{{name}}.{{kind}}", name=drawn, kind=kinds)


def gaps():
    """What stands for the files of `mask_gap`, where a system is named for it."""
    return [f"{P}/mask_gap.manifest.json"] if CONFIG.mask_gap.system else []


def targets():
    """All that a preset is for."""
    if CONFIG.preset == "base":
        return [f"{P}/base.done"]
    shown = ["table1", "ablations"] if compared() else ["table1"]
    tables = expand(f"{P}/tables/{{t}}.{{k}}", t=shown, k=["csv", "md", "tex"])
    figures = pictures("png", "svg", "pdf")
    receipts = expand(f"{P}/tracking/run-{{run}}.json", run=CONFIG.runs)
    made = [*gaps(), *compared_retrievers()]
    return [*tables, *figures, *made, *receipts, f"{P}/tracking/results.json"]
