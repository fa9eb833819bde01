# Where passages lie, and what they are searched with. Functions only; they read CONFIG and P.


def generated():
    """Whether the world is generated, not imported."""
    return CONFIG.sources.kind == "atlas"


def corpus(split):
    """Folder of the passages that a split searches: one for all splits with kind hub."""
    return "corpus" if CONFIG.sources.kind == "hub" else split


def tokenizer_file():
    """The tokenizer of all systems: the preset's own, or with kind hub the base model's."""
    hub = CONFIG.sources.kind == "hub"
    return (
        f"{repository(CONFIG.base_model) if hub else f'{P}/tokenizer'}/tokenizer.json"
    )


def index_files(split):
    """The index that a split is searched in; none where a server, the web or kept answers are."""
    index = f"{index_folder(split)}/manifest.json"
    return [index] if CONFIG.retrieval.at(split).searches_index else []


def index_folder(split):
    """The folder of that index, which also names the database of kept answers."""
    return f"{P}/index/{corpus(split)}"


def memory(least, *read):
    """MB of memory: ``least``, and as much as the files of the folders that ``read`` stand for.

    An index and the weights of a model are mapped or loaded; passages stay on the disk. What is
    not there yet has no size: Snakemake says <TBD>, and asks again when it is.
    """
    named = [file for files in read for file in files]
    for file in named:
        os.stat(file)  # what it raises is what Snakemake takes for <TBD>
    folders = {Path(file).parent for file in named}
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return least + sum(path.stat().st_size for path in files) // 10**6


def engine_memory(engine):
    """MB of memory that an engine needs beside the command: vLLM, and a server's processes."""
    return {"vllm": 1000, "vllm-server": 3000}.get(engine, 0)


def loading(start, processes=1):
    """MB of memory that the model in the folder ``start`` takes at the beginning of a training.

    Each process loads it in fp32, two times the size of a file in bf16, and copies it once.
    """
    return 4 * processes * memory(0, start)


def rl_memory(wildcards, input):
    """MB of memory of a training that collects."""
    engine = CONFIG.settings_of(wildcards.run).rollout
    beside = 3000 + engine_memory(engine) + loading(input.start, machine().processes)
    return memory(beside, input.index)


def evaluation_memory(wildcards, input):
    """MB of memory of an evaluation."""
    engine = CONFIG.systems[wildcards.system].engine
    return memory(2000 + engine_memory(engine), input.index, input.model)


def building(input):
    """MB of memory of a build: a dense index takes its vectors, BM25 two times the passages.

    Measured with a million passages; neither holds the passages themselves.
    """
    words = CONFIG.retrieval.kind != "dense" or CONFIG.retrieval_report.k is not None
    size = 1.2 * sum(map(os.path.getsize, input.vectors))
    size += 3 * os.path.getsize(input.passages) if words else 0
    return 2000 + int(size / 10**6)


def vectors(kind, split="{{split}}"):
    """All shards of the vectors of a split's passages: their files of this kind."""
    return gather.shards(f"{P}/vectors/{split}/{{scatteritem}}.{kind}")


def indexed_vectors(kind):
    """The shards that go into the index of the preset; BM25 needs none."""
    return vectors(kind) if CONFIG.retrieval.kind in ("dense", "hybrid") else []


def local_file(name):
    """A file below MEM1_SAMPLE_DATA."""
    return os.path.join(os.environ.get("MEM1_SAMPLE_DATA", ""), name)


def imported_files():
    """The local files of the import.

    Before it, as far as they are there: it says itself what is missing. Behind it all, so that what
    was imported stays valid where they are gone.
    """
    done = os.path.isfile(f"{P}/world/test/manifest.json")
    files = [local_file(file.path) for file in CONFIG.sources.files]
    return [path for path in files if done or os.path.isfile(path)]


def recorded_calls():
    """The recorded answers of a retriever, where there are some beside the data."""
    if CONFIG.sources.kind != "files":
        return []
    return list(filter(os.path.isfile, [local_file("wiki18/search_calls.jsonl")]))


def compared_retrievers():
    """What stands for the files of `retrieval_report`, where it is asked for."""
    asked = CONFIG.retrieval_report.k is not None
    return [f"{P}/retrieval.manifest.json"] if asked else []
