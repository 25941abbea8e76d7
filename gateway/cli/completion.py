"""The command ``facegate completion``: the script with which a shell completes commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")

COMPLETE_VARIABLE = "_FACEGATE_COMPLETE"
"""The variable by which the script asks ``facegate`` for words. click makes this name from that of the program."""


@click.command(short_help="Print a script that lets a shell complete commands.")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script for a shell, which completes commands and options at the Tab key.

    bash: facegate completion bash > ~/.local/share/bash-completion/completions/facegate

    zsh: facegate completion zsh > "${fpath[1]}/_facegate"

    fish: facegate completion fish > ~/.config/fish/completions/facegate.fish
    """
    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(ctx.find_root().command, {}, "facegate", COMPLETE_VARIABLE).source())
