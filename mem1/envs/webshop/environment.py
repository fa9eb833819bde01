"""The shop for the agent loop: pages become observations with a hint, actions come as text.

An episode goes into a request and comes out of its answer, so the environment holds no state
and any number of episodes share it. Page text is data: it cannot close its block or speak as
the agent. What is too long is cut at the end of the page; the hint and the list of what can be
done stay.
"""

import re
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass

from mem1.agent import protocol
from mem1.agent.formats.base import Format
from mem1.agent.formats.short import SHORT
from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.envs.base import Observation
from mem1.envs.webshop import actions, pages
from mem1.envs.webshop.shop import Episode, Shop, Step
from mem1.errors import InputError


@dataclass(frozen=True)
class ShopRequest:
    """One action to answer, in the form that the agent knows.

    ``turns_left`` counts the turns that remain after this one.
    """

    episode: Episode
    turns_left: int
    action: str
    form: Format = SHORT["mem1"]


@dataclass(frozen=True)
class ShopAnswer:
    """What the action led to, and what the agent gets to see of it."""

    step: Step
    observation: Observation


class WebShopEnvironment:
    """Answers the actions of many episodes at once. Holds no state between calls.

    ``loose``: spaces in actions do not count, as a word-level tokenizer puts them everywhere.
    """

    def __init__(
        self, shop: Shop, mode: pages.Mode, agent: Agent, codec: Codec, *, loose: bool = False
    ) -> None:
        self.shop = shop
        self._mode = mode
        self._max_info = agent.max_info
        self._codec = codec
        self._loose = loose

    def step(self, requests: Sequence[ShopRequest]) -> list[ShopAnswer]:
        """One answer for each request, in order.

        Raises:
            InputError: ``agent.max_info`` does not hold what must not be cut.
        """
        return [self._answer(request) for request in requests]

    def observe(
        self, episode: Episode, turns_left: int, form: Format = SHORT["mem1"]
    ) -> Observation:
        """The page of ``episode``, also of one that has just begun.

        Raises:
            InputError: ``agent.max_info`` does not hold what must not be cut.
        """
        page = self.shop.page(episode)
        text = self._harmless(pages.render(page, self._mode))
        tail = ""
        if self._mode != "compact" and not episode.done:  # compact pages mark what can be clicked
            tail = f"\nActions: {self._harmless(' | '.join(pages.actions(page)))}"
        names = [node.text for node in page if node.kind == "link"]
        ends = [0, *(match.end() for match in re.finditer(r"\S+", text))]

        def beginning(words: int) -> Observation:
            info = form.notice(turns_left, f"{text[: ends[words]]}{tail}")
            info = self._codec.reply(info) if form.messages else info
            return Observation(self._codec.encode(info), info, names)

        observation = beginning(len(ends) - 1)
        if len(observation.ids) > self._max_info:
            longest = bisect(
                range(len(ends) - 1), self._max_info, key=lambda n: len(beginning(n).ids)
            )
            observation = beginning(max(longest - 1, 0))
        if len(observation.ids) > self._max_info:
            raise InputError(
                f"agent.max_info is {self._max_info}, but the actions of a page take "
                f"{len(observation.ids)} tokens: raise agent.max_info."
            )
        return observation

    def _answer(self, request: ShopRequest) -> ShopAnswer:
        action = request.action
        if self._loose:
            page = self.shop.page(request.episode)
            action = actions.without_spaces(action, pages.clickables(page))
        step = self.shop.step(request.episode, action)
        return ShopAnswer(step, self.observe(step.episode, request.turns_left, request.form))

    def _harmless(self, text: str) -> str:
        return protocol.neutralize(self._codec.plain(text))
