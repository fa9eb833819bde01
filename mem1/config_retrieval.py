"""The settings of what agents search in: sources of text, and how it is found."""

from typing import Literal

from pydantic import Field

from mem1.config_learning import Section, Share


class Sources(Section):
    """Where questions and passages come from."""

    kind: Literal["atlas", "files"] = Field(
        description="atlas: generated worlds; files: the folder named by MEM1_SAMPLE_DATA"
    )
    max_passages: int | None = Field(
        ge=1, description="files only: read at most this many passages of each file; null: all"
    )


class Retrieval(Section):
    """BM25 over the passages."""

    k: int = Field(ge=1, le=20, description="passages returned for a query")
    k1: float = Field(gt=0, le=10, description="BM25 term saturation")
    b: Share = Field(description="BM25 length normalization")
