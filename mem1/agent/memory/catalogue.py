"""All context policies by name. Training uses those of ``agent.context`` alone."""

from mem1.agent import context
from mem1.agent.context import ContextPolicy
from mem1.agent.formats.base import Format
from mem1.agent.memory.amem import AMem
from mem1.agent.memory.running import Overwrite, Summary
from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.config_systems import Policy


def policy(name: Policy, agent: Agent, codec: Codec, form: Format) -> ContextPolicy:
    """The context policy called ``name``, with the limits of ``agent``.

    Args:
        name: its name in the configuration.
        agent: limits; policies with calls need its section ``memory``.
        codec: the tokenizer of the model.
        form: the prompt format of the agent.

    Raises:
        InputError: that section is null, or an encoder cannot be had.
    """
    for each in (AMem, Summary, Overwrite):
        if each.name == name:
            return each(agent, codec, form)
    return context.policy(name, agent)
