"""The errors of the simulator. Each has one sentence to print.

SimError
 ├ Unreachable     no program accepts a connection at the address
 ├ Refused         the program there is no broker, or refuses the connection
 └ ChildEnded      a process that the demo started ended unexpectedly
"""


class SimError(Exception):
    """The run cannot continue. The message is a whole sentence for the user."""


class NoNewPicture(Exception):
    """A live source has no picture that was not sent yet. The run goes on."""


class Unreachable(SimError):
    pass


class Refused(SimError):
    pass


class ChildEnded(SimError):
    pass
