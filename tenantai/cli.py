"""The commands of `tenantai`: which there are, and how each ends.

What must stay true: `--help` imports nothing of the server; a command ends with 0 (done), 1 (failed), 2 (misused) or
130 (interrupted), and an error is one sentence on stderr, never a traceback.
"""

import os
import sys
from importlib import import_module
from pathlib import Path
from traceback import extract_tb

import click

from tenantai import __version__
from tenantai.commands.program import example, program
from tenantai.commands.terminal import Failed

INTERRUPTED = 130
COMMANDS = {
    "quickstart": "tenantai.commands.quickstart",
    "serve": "tenantai.commands.serve",
    "tui": "tenantai.commands.tui",
    "web": "tenantai.commands.web",
    "chat": "tenantai.commands.chat",
    "conversations": "tenantai.commands.conversations",
    "estimate": "tenantai.commands.estimate",
    "estimates": "tenantai.commands.estimates",
    "tenants": "tenantai.commands.tenants",
    "accounts": "tenantai.commands.accounts",
    "keys": "tenantai.commands.keys",
    "tools": "tenantai.commands.tools",
    "files": "tenantai.commands.files",
    "assets": "tenantai.commands.assets",
    "store": "tenantai.commands.store",
    "search": "tenantai.commands.search",
    "usage": "tenantai.commands.usage",
    "audit": "tenantai.commands.audit",
    "analytics": "tenantai.commands.analytics",
    "models": "tenantai.commands.models",
    "doctor": "tenantai.commands.doctor",
    "backup": "tenantai.commands.backup",
    "restore": "tenantai.commands.restore",
    "openapi": "tenantai.commands.openapi",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names, the newcomer's first."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, None where there is none."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name]), cmd_name)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is meant; where there is none, the error names those that are like it."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from error


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=example("quickstart"),
)
@click.version_option(__version__, prog_name="tenantai", message="%(prog)s %(version)s")
@click.pass_context
def tenantai(ctx: click.Context) -> None:
    """An AI backend for many tenants that one person can run; without a command, at a terminal, its console."""
    if ctx.invoked_subcommand is None:
        if sys.stdin.isatty() and sys.stdout.isatty():
            command: click.Command = import_module(COMMANDS["tui"]).tui
            with command.make_context("tui", [], parent=ctx) as of_console:
                command.invoke(of_console)
        else:
            click.echo(ctx.get_help())


def main() -> None:
    """Run the command that the process was started with, and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run a command and return its exit code."""
    try:
        code = tenantai.main(arguments, prog_name=program(), standalone_mode=False)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001  a person reads a sentence, not a traceback
        Failed(_sentence(error)).show()
        return 1
    return code if isinstance(code, int) else 0


def _sentence(error: Exception) -> str:
    """Return what happened and where, for a report."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}." if error.filename else f"{error.strerror}."
    last = extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    return f"An unexpected fault, please report it: {type(error).__name__} at {place}: {error}"
