"""Rows of a table as configuration: what is accepted, what is refused, and what is frozen of it."""

from pathlib import Path

import pytest

from mem1 import config_files, stages
from mem1.agent.settings import distill_run, evaluation_run, stands_in
from mem1.config import Config
from mem1.errors import InputError

MINI = Path(__file__).parents[2] / "config" / "config.yaml"
SERVER = "url: http://127.0.0.1:1/v1, model: gpt, api: chat, tokenizer: models/base"


def load_with(folder: Path, text: str) -> Config:
    (folder / "overlay.yaml").write_text(text, encoding="utf-8")
    return config_files.load(MINI, folder / "overlay.yaml")


def system(what: str) -> str:
    return f"systems: {{new: {{label: New, policy: mem1, prompt: mem1, {what}}}}}"


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("engine: hf", "engine hf needs run or model of run, model and server; none is given"),
        ("engine: hf, run: rl-mem1, model: models/base", "run and model is given"),
        (f"engine: http, model: x, server: {{{SERVER}}}", "model and server is given"),
        ("engine: oracle-reader, run: rl-mem1", "needs none of run, model and server"),
        ("engine: hf, run: rl-mem1, revision: unverified", "revision belongs to model"),
        ("engine: hf, model: Qwen/Qwen2.5-7B, revision: main", "String should match pattern"),
        (f"engine: http, server: {{{SERVER}, keys: X}}", "unknown key .* did you mean 'key'"),
        ("engine: hf, model: x, horizons: [2, 5]", r"systems\.new\.horizons: \[5\] are no test_"),
        ("engine: hf, model: x, environment: shop", "Input should be 'wiki', 'web' or 'webshop'"),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(tmp_path: Path, what: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_with(tmp_path, system(what))


def test_a_released_checkpoint_is_a_few_lines(tmp_path: Path) -> None:
    commit = "a" * 40
    config = load_with(tmp_path, system(f"engine: hf, model: lab/name, revision: {commit}"))
    run = evaluation_run(config, "new")
    assert run.hub is not None
    assert (run.hub.name, run.hub.revision) == ("lab/name", commit)
    assert (run.server, run.stand_in, run.searches_index) == (None, None, True)


def test_weights_in_a_folder_are_no_part_of_the_section(tmp_path: Path) -> None:
    one, two = (
        evaluation_run(load_with(tmp_path, system(f"engine: hf, {weights}")), "new")
        for weights in ("model: models/base", "run: rl-mem1")
    )
    assert one == two


WEB = "engine: hf, model: models/base, environment: web"


def test_generated_questions_are_searched_in_a_stand_in_for_the_web(tmp_path: Path) -> None:
    config = load_with(tmp_path, system(WEB) + "\nretrieval: {url: 'http://127.0.0.1:1'}")
    run = evaluation_run(config, "new")
    assert stands_in(config, "new")
    assert (run.retrieval, run.k) == (None, 10)
    assert run.stand_in == config.retrieval.built()
    assert run.searches_index


def test_real_questions_are_searched_on_the_web(tmp_path: Path) -> None:
    hub = "sources: {kind: hub, train: [nq-train], test: [nq-test], corpus: wiki18}"
    run = evaluation_run(load_with(tmp_path, f"{system(WEB)}\n{hub}"), "new")
    assert run.stand_in is None
    assert run.retrieval is not None
    assert (run.retrieval.kind, run.k, run.searches_index) == ("web", 10, False)


def test_web_search_without_its_settings_is_refused(tmp_path: Path) -> None:
    config = load_with(tmp_path, system(WEB) + "\nretrieval: {web: null}")
    with pytest.raises(InputError, match=r"systems\.new\.environment is web, and retrieval\.web"):
        evaluation_run(config, "new")


@pytest.mark.parametrize(
    ("teacher", "more", "message"),
    [
        ("nobody", "", r"runs\.sft-mem1 has the teacher 'nobody': name a system of policy mem1"),
        ("full-rl", "", "has the teacher 'full-rl': name a system of policy mem1"),
        ("mem1-rl", "", r"runs\.sft-mem1 starts from itself in the end"),
        ("new", "environment: web", "name a system of policy mem1 and environment wiki"),
        ("new", "prompt: deepresearcher", "whose prompt has other tags"),
    ],
)
def test_a_teacher_must_act_as_the_run_does(
    tmp_path: Path, teacher: str, more: str, message: str
) -> None:
    changes = f"runs: {{sft-mem1: {{changes: {{teacher: {teacher}}}}}}}"
    row = system(f"engine: hf, model: models/base, {more}")
    with pytest.raises(InputError, match=message):
        load_with(tmp_path, f"{changes}\n{row}")


def test_a_teacher_tries_tasks_of_the_horizons_that_are_learned(tmp_path: Path) -> None:
    changes = "runs: {sft-mem1: {changes: {teacher: new}}}"
    row = system("engine: hf, model: models/base, horizons: []")
    address = "retrieval: {url: {train: 'http://127.0.0.1:1', test: 'http://127.0.0.1:2'}}"
    run = distill_run(load_with(tmp_path, f"{changes}\n{row}\n{address}"), "new")
    assert (run.horizons, run.max_turns) == ([1, 2, 3], {1: 5, 2: 8, 3: 12})
    assert run.teacher.retrieval is not None
    assert run.teacher.retrieval.url == "http://127.0.0.1:1"


def test_demonstrations_are_told_in_the_prompt_of_those_who_learn_from_them(tmp_path: Path) -> None:
    changes = "runs: {sft-mem1: {prompt: instruct, changes: {teacher: new}}}"
    row = system("engine: hf, model: models/base, horizons: []")
    assert distill_run(load_with(tmp_path, f"{changes}\n{row}"), "new").prompt == "instruct"
    more = "other: {stage: sft, policy: mem1, start: base, seed: 0, changes: {teacher: new}}"
    both = changes.replace("runs: {", f"runs: {{{more}, ")
    with pytest.raises(InputError, match=r"The runs .* have different prompts and one teacher"):
        load_with(tmp_path, f"{both}\n{row}")


def test_the_prompt_of_a_run_is_in_its_section_where_it_is_another_one(tmp_path: Path) -> None:
    plain = stages.frozen(load_with(tmp_path, "{}"), "run-rl-mem1").model_dump(mode="json")
    assert "prompt" not in plain["run"]  # sections of runs that have none stay as they were
    other = load_with(tmp_path, "runs: {rl-mem1: {prompt: instruct}}")
    assert (
        stages.frozen(other, "run-rl-mem1").model_dump(mode="json")["run"]["prompt"] == "instruct"
    )


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        ("runs: {sft-mem1: {prompt: instruct}}", "has the prompt instruct and no teacher"),
        ("webshop: {runs: {shop-rl-mem1: {prompt: instruct}}}", "prompt is for questions"),
        ("runs: {rl-mem1: {prompt: shop}}", "Input should be 'instruct'"),
    ],
)
def test_a_prompt_that_a_run_cannot_have_is_refused(
    tmp_path: Path, overlay: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load_with(tmp_path, overlay)
