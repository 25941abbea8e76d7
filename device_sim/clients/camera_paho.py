"""Who is on this picture? ``python camera_paho.py PICTURE.jpg``: needs paho-mqtt 2 and nothing else.

The request is sent again, with the same id, until there is a verdict or nobody would want it any more.
"""

import queue
import random
import secrets
import socket
import sys
import threading
import time
from pathlib import Path

import paho.mqtt.client as mqtt

HOST, PORT, CAMERA, USER, PASSWORD = "127.0.0.1", 1883, "porch", None, None
TOPIC = f"facegate/{CAMERA}"
DEADLINE, FIRST_PAUSE, LONGEST_PAUSE = 30, 2.5, 10  # seconds
PASSING = ("error timeout", "error internal", "error expired")  # not the last word: these are asked again

picture = Path(sys.argv[1]).read_bytes()
request = secrets.token_hex(8)  # never used before, so that no old verdict is taken for ours
verdicts, ready = queue.SimpleQueue(), threading.Event()


def connected(client, _data, _flags, reason, _properties):
    if reason.is_failure:
        print("The broker refuses us:", reason, file=sys.stderr)
    client.subscribe(f"{TOPIC}/verdict/+", 1)


def subscribed(client, *_):
    client.publish(f"{TOPIC}/status", "online", 1, retain=True)
    ready.set()


def heard(_client, _data, message):
    if message.topic == f"{TOPIC}/verdict/{request}":
        verdicts.put(message.payload.decode())


# The broker keeps the session, so what is said while the network is away comes when it is back.
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=CAMERA, clean_session=False)
client.username_pw_set(USER, PASSWORD)
client.will_set(f"{TOPIC}/status", "offline", 1, retain=True)
client.on_connect = connected
client.on_subscribe = subscribed
client.on_message = heard
client.on_disconnect = lambda *_: ready.clear()
# Else the end of a picture waits 40 ms and more for the broker's acknowledgement of its beginning.
client.on_socket_open = lambda _client, _data, sock: sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
# Doubled after each attempt; by chance, so that cameras which lost one broker don't all come back at once.
client.reconnect_delay_set(random.uniform(0.5, 1.5), 10)
client.connect_async(HOST, PORT, keepalive=30)
client.loop_start()  # connects, and from now on comes back by itself

verdict, due, pause, end = "", 0.0, FIRST_PAUSE, time.monotonic() + DEADLINE
while not verdict and time.monotonic() < end:
    if ready.is_set() and time.monotonic() >= due and verdicts.empty():
        client.publish(f"{TOPIC}/request/face_rec/{request}", picture, 1)
        due = time.monotonic() + pause * random.uniform(0.8, 1.2)
        pause = min(2 * pause, LONGEST_PAUSE)
    try:
        verdict = verdicts.get(timeout=0.1)
    except queue.Empty:
        continue
    if verdict.startswith("busy "):
        due = time.monotonic() + float(verdict.split()[1]) * random.uniform(1, 1.2)
    if verdict.startswith("busy ") or verdict in PASSING:
        verdict = ""

client.publish(f"{TOPIC}/status", "offline", 1, retain=True)
client.disconnect()  # in order: the broker forgets the last will
client.loop_stop()
print(verdict or "No verdict came in time.")
sys.exit(not verdict)
