# The memory that jobs ask for. Functions only; they read CONFIG.


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
