"""``python -m gateway`` is the command ``facegate``."""

from gateway.cli.main import main

main(prog_name="facegate")
