"""Ask who is in a picture: ``python camera_paho.py PICTURE.jpg``. This needs only paho-mqtt 2.

The request is repeated with the same id until a verdict arrives, or until the deadline.
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
TEMPORARY = ("error timeout", "error internal", "error expired")  # after these the request is repeated

if len(sys.argv) != 2:
    sys.exit("usage: camera_paho.py PICTURE.jpg")
try:
    picture = Path(sys.argv[1]).read_bytes()
except OSError as error:
    sys.exit(f"{sys.argv[1]} cannot be read ({error.strerror}); usage: camera_paho.py PICTURE.jpg")
request = secrets.token_hex(8)  # a new id, so that an old verdict is not mistaken for this one's
verdicts, ready = queue.SimpleQueue(), threading.Event()


def connected(client, _data, _flags, reason, _properties):
    if reason.is_failure:
        print("The broker refuses the connection:", reason, file=sys.stderr)
    client.subscribe(f"{TOPIC}/verdict/+", 1)


def subscribed(client, *_):
    client.publish(f"{TOPIC}/status", "online", 1, retain=True)
    ready.set()


def heard(_client, _data, message):
    if message.topic == f"{TOPIC}/verdict/{request}":
        verdicts.put(message.payload.decode())


# The broker keeps the session, so a verdict sent while the network is down arrives after the reconnection.
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=CAMERA, clean_session=False)
client.username_pw_set(USER, PASSWORD)
client.will_set(f"{TOPIC}/status", "offline", 1, retain=True)
client.on_connect = connected
client.on_subscribe = subscribed
client.on_message = heard
client.on_disconnect = lambda *_: ready.clear()
# Otherwise the end of a picture waits 40 ms or more for the broker's acknowledgement of its beginning.
client.on_socket_open = lambda _client, _data, sock: sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
# The delay doubles after each attempt. It is random, so that cameras that lost one broker do not all reconnect at once.
client.reconnect_delay_set(random.uniform(0.5, 1.5), 10)
client.connect_async(HOST, PORT, keepalive=30)
client.loop_start()  # connects, and reconnects by itself

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
    if verdict.startswith("busy ") or verdict in TEMPORARY:
        verdict = ""

client.publish(f"{TOPIC}/status", "offline", 1, retain=True)
client.disconnect()  # after this the broker does not publish the last will
client.loop_stop()
print(verdict or "No verdict arrived in time.")
sys.exit(not verdict)
