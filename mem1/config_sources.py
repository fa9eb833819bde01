"""The settings of where questions and passages come from."""

from typing import Literal

from pydantic import Field, model_validator

from mem1.config_learning import Section
from mem1.config_paths import Inside

Layout = Literal[
    "titles",
    "wiki18",
    "hotpotqa",
    "2wikimultihopqa",
    "musique",
    "nq-open",
    "triviaqa",
    "popqa",
    "bamboogle",
    "flashrag",
]
# What each kind takes of the fields below; it has no use for the others.
TAKES: dict[str, tuple[str, ...]] = {
    "atlas": (),
    "files": ("files",),
    "hub": ("train", "test", "corpus"),
}


class File(Section):
    """A file of questions or passages, below the folder named by MEM1_SAMPLE_DATA."""

    layout: Layout = Field(description="as its set is published; see mem1.tasks.layouts")
    path: Inside = Field(min_length=1, description="seen from the folder")


class Sources(Section):
    """Where questions and passages come from."""

    kind: Literal["atlas", "files", "hub"] = Field(
        description="atlas: generated worlds; files: the folder named by MEM1_SAMPLE_DATA; "
        "hub: pinned files of the Hugging Face Hub (config/datasets.tsv)"
    )
    max_passages: int | None = Field(
        ge=1, description="files and hub: read at most this many passages of each file; null: all"
    )
    files: list[File] = Field(
        description="files: questions, which are test questions, and passages, in order; layouts "
        "with paragraphs bring both"
    )
    train: list[str] = Field(
        description="hub: rows of config/datasets.tsv that training tasks are made of, in order"
    )
    test: list[str] = Field(description="hub: the same for test tasks")
    corpus: str | None = Field(description="hub: the row of the passages of both splits")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "Sources":
        for kind, fields in TAKES.items():
            for name in fields:
                if kind != self.kind and getattr(self, name):
                    raise ValueError(
                        f"kind {self.kind} does not use {name}, which is for kind {kind}: leave "
                        f"it empty, or use kind: {kind}"
                    )
        if self.kind == "files" and not self.files:
            raise ValueError("kind files needs files: name their layouts and paths")
        if self.kind == "hub" and not (self.test and self.corpus):
            raise ValueError("kind hub needs test and corpus: name rows of config/datasets.tsv")
        return self
