"""Exceptions whose message is for the user: it names the thing and the fix."""


class InputError(ValueError):
    """Bad input: a file, a setting or a request that cannot work as given.

    Commands print the message without a traceback and exit with status 2.
    """


class StoppedError(InputError):
    """A training that must not go on: its numbers are no numbers, or its policy collapsed."""
