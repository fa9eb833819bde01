"""The one exception for what a user can fix: its message names the thing and the fix."""


class InputError(ValueError):
    """Bad input: a file, a setting or a request that cannot work as given.

    Commands print the message without a traceback and exit with status 2.
    """
