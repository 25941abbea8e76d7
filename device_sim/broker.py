"""``python -m device_sim.broker --port PORT``: the demo's broker where mosquitto is not installed.

amqtt on loopback, for anybody, until SIGTERM or SIGINT. It speaks MQTT 3.1.1 only.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

import click
from amqtt.broker import Broker

# Seconds for amqtt to say goodbye to its clients.
SHUTDOWN = 2.0
ANYBODY = "amqtt.plugins.authentication.AnonymousAuthPlugin"


async def serve(port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {ANYBODY: {"allow_anonymous": True}},
        }
    )
    await broker.start()
    await stop.wait()
    # With a client still connected, amqtt's own way out was once seen not to end. It keeps nothing to lose.
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(broker.shutdown(), SHUTDOWN)
    os._exit(0)


@click.command()
@click.option("--port", default=1883, show_default=True, type=click.IntRange(1, 65535))
def main(port: int) -> None:
    """An MQTT 3.1.1 broker on 127.0.0.1, for anybody, until SIGTERM or Ctrl-C."""
    asyncio.run(serve(port))


if __name__ == "__main__":
    main()
