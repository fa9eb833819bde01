"""The settings of how agents find what they search for."""

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from mem1.config_learning import Section, Share
from mem1.config_paths import Inside

RetrievalKind = Literal["bm25", "dense", "hybrid", "web"]
# YAML reads a plain `off` as false.
CacheMode = Annotated[
    Literal["off", "record", "replay"], BeforeValidator(lambda v: "off" if v is False else v)
]
Split = Literal["train", "test"]
ADDRESS = r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"  # no password, which would end up in messages
Address = Annotated[str, Field(pattern=ADDRESS)]
# The sections that each kind needs.
NEEDS: dict[RetrievalKind, tuple[str, ...]] = {
    "bm25": (),
    "dense": ("dense",),
    "hybrid": ("dense", "hybrid"),
    "web": ("web",),
}


class Encoder(Section):
    """A model that makes one vector of a text, as sentence-transformers and E5 do."""

    model: Inside = Field(
        min_length=1,
        description="a folder, package:NAME for the folder `model` of an installed package, or a "
        "name on the Hugging Face Hub",
    )
    revision: str | None = Field(
        pattern="^[0-9a-f]{40}$", description="Hub only: the commit; null for a folder or package"
    )
    pooling: Literal["mean", "cls"] = Field(
        description="mean: over the tokens of the text; cls: the first token"
    )
    query_prefix: str = Field(description="put before each query; E5: 'query: '")
    passage_prefix: str = Field(description="put before each passage; E5: 'passage: '")
    max_tokens: int = Field(ge=8, le=8192, description="tokens of a text; what is longer is cut")
    batch: int = Field(ge=1, le=4096, description="texts encoded together")


class Faiss(Section):
    """The index of the vectors. Products of vectors of length 1 are cosines."""

    kind: Literal["flat", "hnsw", "ivfpq"] = Field(
        description="flat: exact; hnsw: a graph; ivfpq: cells of compressed vectors"
    )
    links: int = Field(ge=2, le=128, description="hnsw: neighbours of a vector")
    build_width: int = Field(ge=1, description="hnsw: candidates kept while building")
    search_width: int = Field(ge=1, description="hnsw: candidates kept while searching")
    cells: int = Field(ge=1, description="ivfpq: cells")
    probes: int = Field(ge=1, description="ivfpq: cells searched for a query")
    parts: int = Field(ge=1, description="ivfpq: bytes of a compressed vector; divides its size")
    train_on: int = Field(ge=1, description="ivfpq: vectors that cells and codes are learned from")


class Dense(Section):
    """Retrieval by the cosine of vectors."""

    encoder: Encoder
    index: Faiss


class Hybrid(Section):
    """Reciprocal rank fusion of BM25 and dense retrieval (Cormack et al., 2009)."""

    constant: float = Field(gt=0, description="added to each rank; 60 in the source")
    depth: int = Field(ge=1, le=1000, description="hits of each that are fused")


class Web(Section):
    """Web search; the key comes from the environment variable SERPER_API_KEY."""

    url: Address = Field(description="API that speaks Serper's format")
    results: int = Field(ge=1, le=100, description="results asked for; the best k are shown")


class Retrieval(Section):
    """How passages are found.

    What a kind does not need is left out where the section is written, so that a frozen section
    of BM25 is what it was before there were other kinds, and no change to one of them repeats a
    stage that does without.
    """

    kind: RetrievalKind = Field(default="bm25", description="how passages are found")
    k: int = Field(ge=1, le=20, description="passages returned for a query")
    k1: float = Field(gt=0, le=10, description="BM25 term saturation")
    b: Share = Field(description="BM25 length normalization")
    dense: Dense | None = Field(default=None, description="kinds dense and hybrid")
    hybrid: Hybrid | None = Field(default=None, description="kind hybrid")
    web: Web | None = Field(default=None, description="kind web")
    url: Address | dict[Split, Address] | None = Field(
        default=None,
        description="search at this server (mem1.serve_retriever or a like one), or at the one of "
        "each split where passages differ: {train: ..., test: ...}; null, or a split that is not "
        "named: in process",
    )
    corpus: str | None = Field(
        default=None, description="what a server that does not say so itself searches in"
    )
    cache: CacheMode = Field(
        default="off",
        description="record: keep answers and give them again; replay: kept answers only",
    )

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> "Retrieval":
        for name in NEEDS[self.kind]:
            if getattr(self, name) is None:
                raise ValueError(f"kind {self.kind} needs the section {name}: add it")
        if self.kind == "web" and self.url is not None:
            raise ValueError("kind web searches at web.url: set url to null")
        if self.kind == "web" and self.web is not None and self.k > self.web.results:
            raise ValueError(f"k is {self.k} and web.results {self.web.results}: ask for k or more")
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {k: v for k, v in handler(self).items() if v not in (None, "bm25", "off")}

    @property
    def searches_index(self) -> bool:
        """Whether the command that searches reads an index, and not a server or kept answers."""
        return self.kind != "web" and self.url is None and self.cache != "replay"

    def at(self, split: Split) -> "Retrieval":
        """These settings for one split: with one address, or none."""
        if not isinstance(self.url, dict):
            return self
        return self.model_copy(update={"url": self.url.get(split)})

    def of_kind(self, kind: RetrievalKind) -> "Retrieval":
        """These settings for ``kind``, without the sections that it does not need.

        Raises:
            ValueError: one that it needs is null.
        """
        unused = {name: None for names in NEEDS.values() for name in names}
        for name in NEEDS[kind]:
            del unused[name]
        return Retrieval.model_validate({**dict(self), **unused, "kind": kind})

    def used(self) -> "Retrieval":
        """These settings without the sections that their kind does not need."""
        return self.of_kind(self.kind)

    def built(self) -> "Retrieval":
        """What an index is built with: neither who searches in it nor whether answers are kept."""
        return self.used().model_copy(update={"url": None, "corpus": None, "cache": "off"})


class RetrievalReport(Section):
    """BM25, dense and hybrid retrieval compared on questions with known answers."""

    k: int | None = Field(
        ge=1, le=100, description="passages of a query that are looked at; null: no comparison"
    )
