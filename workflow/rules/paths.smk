# Which files belong to what. Functions only; they read CONFIG and P.


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


def records():
    """The evaluation records of all systems, each on the panels that it is for."""
    return [
        f"{P}/eval/{name}/{horizon}.jsonl"
        for name, system in CONFIG.systems.items()
        for horizon in CONFIG.tasks.test_horizons
        if system.horizons is None or horizon in system.horizons
    ]


def shown_records():
    """Those records of the smallest and of the largest panel: of a page to look at."""
    ends = {str(pick(CONFIG.tasks.test_horizons)) for pick in (min, max)}
    return [path for path in records() if Path(path).stem in ends]


def shown_panels():
    """The tasks of those records."""
    horizons = dict.fromkeys(Path(path).stem for path in shown_records())
    return expand(f"{P}/tasks/test-{{h}}.jsonl", h=horizons)


def test_panels():
    """The tasks that systems are evaluated on."""
    return expand(f"{P}/tasks/test-{{h}}.jsonl", h=CONFIG.tasks.test_horizons)


def manifests():
    """The manifests of all training runs."""
    runs = [*CONFIG.runs, *shop_runs()]
    return expand(f"{P}/train/{{run}}/manifest.json", run=runs)


def metrics(runs):
    """What trainings have logged."""
    return expand(f"{P}/train/{{run}}/metrics.jsonl", run=runs)


def compared():
    """The runs of ablations; in most presets there are none."""
    arms = stages.frozen(CONFIG, "analysis").arms
    return [run for arm in arms for run in arm.runs]
