"""`web`: the console in a browser."""

import os
import shlex
import sys

import click

from tenantai.commands.configuration import refuse_unknown_variables
from tenantai.commands.connection import DEFAULT_URL
from tenantai.commands.program import example
from tenantai.commands.terminal import Failed, Misused, say, show

PASSWORD = "TENANTAI_WEB_PASSWORD"  # noqa: S105  the name of a variable
KEY = "TENANTAI_API_KEY"


@click.command(epilog=example("web --port 8421 --read-only"))
@click.option("--host", default="127.0.0.1", help="The address to listen on (127.0.0.1); another one needs a password.")
@click.option("--port", type=click.IntRange(0, 65535), default=8421, help="The port to listen on (8421); 0 takes a free one.")
@click.option("--public-url", help="The address that browsers come by, where a proxy stands before it.")
@click.option("--url", envvar="TENANTAI_URL", default=DEFAULT_URL, help=f"The server ({DEFAULT_URL}); or TENANTAI_URL.")
@click.option("--api-key", envvar=KEY, help="The API key of the consoles (TENANTAI_API_KEY; else this machine's operator's).")
@click.option("--read-only", is_flag=True, help="Offer nothing that changes anything.")
def web(host: str, port: int, public_url: str | None, url: str, api_key: str | None, *, read_only: bool) -> None:
    """Serve the console to browsers.

    To this machine only, unless TENANTAI_WEB_PASSWORD is set.
    """
    from tenantai.tui.web import ConsoleServer, is_loopback, serve_console  # noqa: PLC0415  imported when it runs

    refuse_unknown_variables()
    password = os.environ.pop(PASSWORD, None)
    if not password and not is_loopback(host):
        raise Misused(f"{host} is not this machine. Set {PASSWORD} to serve the console to others.")
    if api_key:
        os.environ[KEY] = api_key
    command = [sys.executable, "-m", "tenantai", "tui", "--url", url, *(["--read-only"] if read_only else [])]
    server = ConsoleServer(shlex.join(command), host=host, port=port, password=password, public_url=public_url)

    def tell(address: str) -> None:
        show(f"tenantai console on {address}")
        if not is_loopback(host):
            say("Put a proxy with TLS before it: the password goes as it is.")

    try:
        serve_console(server, told=tell)
    except OSError as error:
        raise Failed(f"The console can't listen on {host}:{port}: {error.strerror}. Choose another --port.") from error
