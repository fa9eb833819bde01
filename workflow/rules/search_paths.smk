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
