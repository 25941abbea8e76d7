"""``python -m gateway`` is the command ``facegate``."""

from gateway.cli import main

main(prog_name="facegate")
