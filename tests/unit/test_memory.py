"""Memory of a device and batches, against numbers computed by hand and models without weights."""

import inspect
import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from mem1 import batches, config_files, estimate, memory, memory_report, stages
from mem1.agent.engines.hf import HFEngine
from mem1.agent.text import Codec
from mem1.config import Config, Model
from mem1.errors import InputError
from mem1.machines import Machine, machine_of
from mem1.memory_work import GIB, Part, Work
from mem1.model_shape import PUBLISHED, ModelShape, shape_of
from mem1.records import Question, Task
from mem1.tasks import tokenizer
from mem1.train import fitting
from mem1.train.job import Job
from mem1.train.model import new_model
from mem1.train.processes import ALONE

FOLDER = Path(__file__).parents[2] / "config"


def load(preset: str) -> Config:
    return config_files.load(FOLDER / "config.yaml", FOLDER / f"{preset}.yaml")


def work_of(preset: str, machine: Machine | None = None) -> Work:
    found = memory_report.of_config(load(preset), "rl-mem1", machine or machine_of(preset))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def paper() -> Work:
    return work_of("paper")


def sizes(work: Work) -> dict[str, int]:
    return {part.name: part.size for part in memory.parts(work)}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_those_of_the_model(name: str) -> None:
    shape = PUBLISHED[name]
    config = Qwen2Config(
        hidden_size=shape.hidden, num_hidden_layers=shape.layers, vocab_size=shape.vocabulary,
        num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads,
        intermediate_size=shape.intermediate, tie_word_embeddings=shape.tied,
    )  # fmt: skip
    with torch.device("meta"):
        model = Qwen2ForCausalLM(config)
    assert shape.parameters == sum(p.numel() for p in model.parameters())
    assert shape.backbone == sum(p.numel() for p in model.base_model.parameters())


def test_a_shape_comes_from_the_folder_of_the_model(tmp_path: Path) -> None:
    fields = {
        "model_type": "qwen2", "num_hidden_layers": 2, "hidden_size": 8, "num_attention_heads": 4,
        "num_key_value_heads": 2, "intermediate_size": 16, "vocab_size": 10,
    }  # fmt: skip
    file = tmp_path / "config.json"
    file.write_text(json.dumps(fields), encoding="utf-8")
    assert shape_of(tmp_path) == ModelShape(2, 8, 4, 2, 16, 10, False)
    file.write_text(json.dumps({**fields, "model_type": "llama"}), encoding="utf-8")
    assert shape_of(tmp_path) is None
    file.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="does not describe a model"):
        shape_of(tmp_path)


def test_a_model_that_is_nowhere_is_asked_for() -> None:
    with pytest.raises(InputError, match="put the model there"):
        shape_of(Path("models/unheard-of"))


def test_learners_of_the_paper_by_hand(paper: Work) -> None:
    policy, critic = 7_615_616_512, 7_070_619_136 + 3584 + 1
    found = sizes(paper)
    assert found["policy: weights"] == found["policy: gradients"] == 2 * policy // 4
    assert found["policy: optimizer"] == 12 * policy // 4
    assert found["critic"] == 16 * critic // 4
    assert found["starting policy"] == found["engine: weights"] == 2 * policy // 4


def test_activations_of_the_paper_by_hand(paper: Work) -> None:
    # A layer at work: norms 2 (8 x 3584 + 4), attention 2 (3 x 3584 + 2 x 512), heads 4 x 28,
    # feed-forward 8 x 18944, and their gradients 4 x (18944 + 3584); its input: 2 x 3584.
    layer = 57_352 + 23_552 + 112 + 151_552 + 90_112
    assert sizes(paper)["activations"] == 16_384 * (28 * 7168 + layer + 6 * 3584)


def test_the_longest_tree_of_the_paper_by_hand(paper: Work) -> None:
    # 460 of prompt, six outputs, five infos, four outputs a second time
    assert memory_report.longest_tree(paper) == 460 + 6000 + 5000 + 4000


def test_keys_and_values_of_the_paper_by_hand(paper: Work) -> None:
    assert paper.vllm is not None
    # 28 layers, keys and values, 4 heads of 128 in bfloat16, over 4 GPUs
    assert memory.token_cache_bytes(paper.shape, paper.vllm) == 28 * 2 * 512 * 2 // 4
    left = int(0.2 * 80 * GIB) - 2 * 7_615_616_512 // 4 - memory.WORKSPACE
    assert sizes(paper)["engine: keys and values"] == left


def test_an_engine_that_sleeps_gives_its_memory_back(paper: Work) -> None:
    assert paper.vllm is not None
    awake = replace(paper, vllm=paper.vllm.model_copy(update={"sleep": False}))
    engine = [part for part in memory.parts(paper) if part.name.startswith("engine")]
    more = memory.total(memory.parts(awake), "learn") - memory.total(memory.parts(paper), "learn")
    assert more == sum(part.size for part in engine) > 0


def test_a_served_model_elsewhere_takes_nothing(paper: Work) -> None:
    assert paper.vllm is not None
    away = replace(paper, vllm=paper.vllm.model_copy(update={"url": "http://127.0.0.1:1"}))
    assert not any(part.name.startswith("engine") for part in memory.parts(away))


def test_the_cache_of_hfengine_is_what_it_takes() -> None:
    defaults = inspect.signature(HFEngine.__init__).parameters
    taken = sum(defaults[name].default for name in ("group_bytes", "reuse_bytes"))
    assert taken == memory.HF_CACHE


@pytest.mark.parametrize("preset", ["single-gpu", "paper"])
def test_presets_fit_the_machines_they_are_made_for(
    preset: str, capsys: pytest.CaptureFixture[str]
) -> None:
    estimate.main(["--config", str(FOLDER / "config.yaml"), str(FOLDER / f"{preset}.yaml")])
    printed = capsys.readouterr().out
    assert "Run rl-mem1: 64 tasks x 1 = 64 trajectories a round" in printed
    assert f"of {machine_of(preset).device_gib} |" in printed


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        (
            Machine(4, 40),
            r"each device \(learn\), and a device has 40.0: the largest part is crit",
        ),
        (Machine(1, 80), r"largest part is critic .*rl.estimator: grpo"),
    ],
)
def test_what_cannot_fit_is_refused_with_its_largest_part(machine: Machine, said: str) -> None:
    with pytest.raises(InputError, match=said):
        memory_report.check("rl-mem1", work_of("paper", machine))


def test_a_cache_too_small_for_one_sequence_is_refused(paper: Work) -> None:
    assert paper.vllm is not None
    tiny = paper.vllm.model_copy(update={"kv_cache_bytes": 10**6})
    with pytest.raises(InputError, match=r"less than one sequence of agent\.max_context 12288"):
        memory_report.check("rl-mem1", replace(paper, vllm=tiny))


def test_nothing_is_refused_on_a_cpu(paper: Work) -> None:
    memory_report.check("rl-mem1", replace(paper, device=None))


def test_without_checkpointing_activations_are_the_largest_part(paper: Work) -> None:
    rl = paper.rl.model_copy(update={"gradient_checkpointing": False})
    with pytest.raises(InputError, match=r"activations .* rl\.gradient_checkpointing: true"):
        memory_report.check("rl-mem1", replace(paper, rl=rl))


def test_the_batches_of_the_paper(paper: Work) -> None:
    found = batches.Batches.of(paper.rl, 4, 15_460, 16_384)
    assert found == batches.Batches(64, 1, 64, 16, (1, 16))


def test_several_trees_share_a_row(paper: Work) -> None:
    rl = paper.rl.model_copy(update={"minibatches": 2, "group": 3})
    found = batches.Batches.of(rl, 4, 5000, 16_384)
    assert found == batches.Batches(192, 2, 96, 8, (1, 3))


def test_batches_that_do_not_divide_are_refused(paper: Work) -> None:
    with pytest.raises(InputError, match="64 cannot be divided among 3 processes"):
        batches.Batches.of(paper.rl, 3, 5000, 16_384)


def test_every_part_says_how_and_what_makes_it_smaller(paper: Work) -> None:
    for work in (paper, replace(paper, vllm=None), work_of("single-gpu")):
        found: list[Part] = memory.parts(work)
        assert all(part.how and part.less and part.size > 0 for part in found)


def test_a_preset_without_a_machine_has_no_device() -> None:
    assert machine_of("mini") == Machine(processes=1, device_gib=0)


def test_a_training_that_does_not_fit_is_refused_before_its_models_are_placed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = stages.frozen(config_files.load(FOLDER / "config.yaml"), "run-rl-mem1")
    assert isinstance(run, stages.TrainingRun)
    assert run.rl is not None
    shape = Model(layers=2, hidden=32, heads=2, intermediate=48, max_position=8192)
    words = tokenizer.word_level()
    model = new_model(shape, words.get_vocab_size(), 0)
    job = Job("train_rl", Namespace(), [], run, model, Codec(words), FOLDER, ALONE)
    asked = Question(id="q", text="?", golds=["a"], source="made up")
    tasks = [Task(id="t", split="train", questions=[asked, asked], max_turns=8)]
    fitting.announce(job, run.rl, tasks)  # on a CPU: told, not refused
    assert "rl-mem1" in capsys.readouterr().err
    monkeypatch.setattr(fitting, "device_bytes", lambda processes: 2**20)
    with pytest.raises(InputError, match=r"Run rl-mem1 needs .* GiB of each device"):
        fitting.announce(job, run.rl, tasks)


def test_imitation_that_does_not_fit_one_device_is_said_before_its_teacher_is_asked() -> None:
    said: list[str] = []
    memory_report.check_trainings(load("paper"), machine_of("paper"), said.append)
    found = [one for one in said if "sft-mem1 learns from demonstrations" in one]
    assert len(found) == 1
    assert "needs 113 GiB of its device" in found[0]  # 16 bytes x 7,615,616,512
    assert "a device has 80" in found[0]
    said.clear()
    memory_report.check_trainings(load("paper"), Machine(4, 141), said.append)
    assert not any("learns from demonstrations" in one for one in said)
