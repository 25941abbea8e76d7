"""The command ``python -m device_sim.broker --port PORT``: the demo's broker if mosquitto is not installed.

It is amqtt on the loopback interface, without logins, until SIGTERM or SIGINT. It supports MQTT 3.1.1 only.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

import click
from amqtt.broker import Broker

# Time for amqtt to disconnect its clients.
SHUTDOWN_TIMEOUT_S = 2.0
ANONYMOUS_PLUGIN = "amqtt.plugins.authentication.AnonymousAuthPlugin"


async def serve(port: int) -> None:
    """Run the broker until a signal, and end the process."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {ANONYMOUS_PLUGIN: {"allow_anonymous": True}},
        }
    )
    await broker.start()
    await stop.wait()
    # With a connected client, amqtt's shutdown was once seen not to end. The broker has no state to lose.
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(broker.shutdown(), SHUTDOWN_TIMEOUT_S)
    os._exit(0)


@click.command()
@click.option("--port", default=1883, show_default=True, type=click.IntRange(1, 65535))
def main(port: int) -> None:
    """Run an MQTT 3.1.1 broker on 127.0.0.1 without logins, until SIGTERM or Ctrl-C."""
    asyncio.run(serve(port))


if __name__ == "__main__":
    main()
