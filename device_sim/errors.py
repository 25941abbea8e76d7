"""What can go wrong for the simulator, each with one sentence to print.

SimError
 ├ Unreachable     nothing accepts a connection there
 ├ Refused         something does, but it is no broker or does not want us
 └ ChildEnded      a process that the demo started ended by itself
"""


class SimError(Exception):
    """The run cannot go on; the text is a whole sentence for the person at the terminal."""


class Unreachable(SimError):
    pass


class Refused(SimError):
    pass


class ChildEnded(SimError):
    pass
