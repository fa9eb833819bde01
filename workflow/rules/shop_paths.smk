# Which files belong to WebShop. Functions only; they read CONFIG and P. Without a section webshop
# there are none.


def shop_runs(*stages):
    """Names of the training runs in WebShop, of all stages or of those named."""
    runs = CONFIG.webshop.runs if CONFIG.webshop else {}
    return [n for n, run in runs.items() if not stages or run.stage in stages]


def shop_systems():
    """Names of the systems that shop."""
    return list(CONFIG.webshop.systems) if CONFIG.webshop else []


def shop_start(wildcards):
    """The folder of the model that a run in WebShop starts from."""
    start = CONFIG.webshop.runs[wildcards.run].start
    if start == "base":
        return repository(CONFIG.base_model)
    return f"{P}/train/{start}/model"


def shop_files():
    """The files of a published catalogue, as far as they are there; a generated one has none."""
    if not CONFIG.webshop or CONFIG.webshop.shop.catalogue is None:
        return []
    from mem1.envs.webshop import opening

    return [str(path) for path in opening.files(CONFIG.webshop.shop)]


def shop_goals(split):
    """The goals of a split and the tasks that were drawn from them."""
    return expand(f"{P}/webshop/{split}/{{name}}", name=["goals.json", "tasks.jsonl"])


def shop_model(wildcards):
    """The folder of a shopper's weights; an empty list where a server or the Hub has them."""
    system = CONFIG.webshop.systems[wildcards.system]
    if system.run:
        return f"{P}/train/{system.run}/model"
    return repository(system.model) if system.model and not system.revision else []


def shop_records():
    """The evaluation records of all shoppers."""
    return expand(f"{P}/eval/{{system}}/1.jsonl", system=shop_systems())


def shop_training_memory(wildcards):
    """MB of memory of a training in WebShop."""
    rl = CONFIG.webshop.runs[wildcards.run].stage == "rl"
    rollout = CONFIG.webshop.rl.get("rollout", CONFIG.rl.rollout) if rl else "hf"
    return 3000 + engine_memory(rollout)


def shop_evaluation_memory(wildcards, input):
    """MB of memory of an evaluation in WebShop."""
    engine = CONFIG.webshop.systems[wildcards.system].engine
    return memory(2000 + engine_memory(engine), input.goals, input.model)
