# What a system of the configuration is made of, and what commands that let it act are told.
# Functions only; they read CONFIG and P.
from mem1.agent.settings import stands_in


def system_model(wildcards):
    """The folder of a system's weights; an empty list where a server or the Hub has them."""
    system = CONFIG.systems[wildcards.system]
    if system.run:
        return f"{P}/train/{system.run}/model"
    return repository(system.model) if system.model and not system.revision else []


def system_files(wildcards):
    """The files behind ``system_model``."""
    folder = system_model(wildcards)
    return model_files(folder) if folder else []


def system_tokenizer(wildcards):
    """The tokenizer of a system that does not bring its own."""
    system = CONFIG.systems[wildcards.system]
    return [] if system.model or system.server else [tokenizer_file()]


def system_index(split):
    """A function of the index that a system searches in, as files; the web has none."""

    def files(wildcards):
        if stands_in(CONFIG, wildcards.system):
            return [f"{index_folder(split)}/manifest.json"]
        web = CONFIG.systems[wildcards.system].environment == "web"
        return [] if web else index_files(split)

    return files


def system_arguments(split):
    """A function of the arguments that tell a command what a system is made of."""

    def arguments(wildcards, input):
        told = ["--index", index_folder(split)]
        if input.model:
            told += ["--model", shlex.quote(system_model(wildcards))]
        if input.tokenizer:
            told += ["--tokenizer", shlex.quote(str(Path(input.tokenizer[0]).parent))]
        if CONFIG.systems[wildcards.system].environment == "web":
            told += ["--cache", '"$MEM1_RETRIEVAL_CACHE/web.sqlite"']
        return " ".join(told)

    return arguments


def teacher_of(wildcards):
    """The demonstrations that a run learns from; none where a script plays them."""
    teacher = CONFIG.settings_of(wildcards.run).teacher
    return [f"{P}/distill/{teacher}/demonstrations.jsonl"] if teacher else []


def distilled():
    """All demonstrations that runs learn from."""
    settings = [CONFIG.settings_of(run) for run in runs_of("sft")]
    teachers = dict.fromkeys(each.teacher for each in settings if each.teacher)
    return expand(f"{P}/distill/{{teacher}}/demonstrations.jsonl", teacher=teachers)
