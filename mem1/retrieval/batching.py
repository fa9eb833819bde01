"""Searches of many requests at a time: one call of the retriever for all that wait."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from mem1.retrieval.base import Hit, Retriever


@dataclass
class _Job:
    """The queries of one request."""

    queries: list[str]
    k: int
    done: asyncio.Future[list[list[Hit]]]


class Batcher:
    """Collects the searches of a few milliseconds, and answers them together.

    A retriever is called by one thread at a time. Its results do not depend on what else is in
    a call, and where a call fails its requests are searched one by one, so that none fails
    because of its neighbours.
    """

    def __init__(self, retriever: Retriever, wait: float, size: int) -> None:
        """Collect for ``wait`` seconds after the first search, or up to ``size`` queries."""
        self._retriever = retriever
        self._wait = wait
        self._size = size
        self._jobs: asyncio.Queue[_Job] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1)
        self._task: asyncio.Task[None] | None = None

    async def search(self, queries: list[str], k: int) -> list[list[Hit]]:
        """What the retriever finds for ``queries``; its exception, if it fails on them."""
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        job = _Job(queries, k, asyncio.get_running_loop().create_future())
        self._jobs.put_nowait(job)
        return await job.done

    async def close(self) -> None:
        """Stop, when the search under way has ended. Requests that still wait get no answer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._thread.shutdown()

    async def _work(self) -> None:
        while True:
            jobs = await self._collect()
            for k in dict.fromkeys(job.k for job in jobs):
                await self._answer([job for job in jobs if job.k == k], k)

    async def _collect(self) -> list[_Job]:
        loop = asyncio.get_running_loop()
        jobs = [await self._jobs.get()]
        until = loop.time() + self._wait
        while sum(len(job.queries) for job in jobs) < self._size:
            try:
                async with asyncio.timeout_at(until):
                    jobs.append(await self._jobs.get())
            except TimeoutError:
                break
        return [job for job in jobs if not job.done.done()]  # a client may have gone

    async def _answer(self, jobs: Sequence[_Job], k: int) -> None:
        queries = [query for job in jobs for query in job.queries]
        try:
            found = await self._call(queries, k)
        except Exception as error:  # handed on to whoever asked; the others are asked for alone
            if len(jobs) > 1:
                for job in jobs:
                    await self._answer([job], k)
            elif not jobs[0].done.done():
                jobs[0].done.set_exception(error)
            return
        for job in jobs:
            hits, found = found[: len(job.queries)], found[len(job.queries) :]
            if not job.done.done():
                job.done.set_result(hits)

    async def _call(self, queries: list[str], k: int) -> list[list[Hit]]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._thread, self._retriever.search, queries, k)
        if len(found) != len(queries):
            raise RuntimeError(f"{len(found)} results for {len(queries)} queries")
        return found
