"""Ask who is in front of the camera: MicroPython on an ESP32-CAM, as main.py. boot.py starts the Wi-Fi.

A picture is sent again with the same id until a verdict arrives, or until the deadline.
"""

import binascii
import os
import random
import time

import camera
import machine
from umqtt.simple import MQTTClient, MQTTException

HOST, PORT, USER, PASSWORD = "192.168.1.10", 1883, None, None
CAMERA = b"porch"
TOPIC = b"facegate/" + CAMERA
BOOT = binascii.hexlify(os.urandom(4))  # no id of an earlier boot is used again
INTERVAL, DEADLINE, FIRST_PAUSE, LONGEST_PAUSE = 5000, 30000, 2500, 10000  # ms
TEMPORARY = (b"error timeout", b"error internal", b"error expired")  # after these the request is repeated


class Device:
    def __init__(self):
        # If a connection is lost without notice, umqtt waits for ever. Then the watchdog restarts the board.
        self.watchdog = machine.WDT(timeout=120000)
        self.client = None
        self.request = self.verdict = b""

    def connect(self):
        self.client = MQTTClient(CAMERA, HOST, PORT, USER, PASSWORD, keepalive=60)
        self.client.set_callback(self.heard)
        self.client.set_last_will(TOPIC + b"/status", b"offline", True, 1)
        self.client.connect()
        self.client.subscribe(TOPIC + b"/verdict/+", 1)
        self.publish(b"/status", b"online", True)

    def heard(self, topic, text):
        if topic == TOPIC + b"/verdict/" + self.request:
            self.verdict = text

    def publish(self, below, payload, retain=False):
        # umqtt counts past 65,535 and then sends packet id 0. The broker would close the connection.
        self.client.pid %= 65535
        self.client.publish(TOPIC + below, payload, retain, 1)

    def ask(self, number, picture):
        """Return the verdict, such as b"match 0.83 barack_obama"; empty if none arrived in time."""
        self.request, self.verdict = BOOT + b"-%d" % number, b""
        start = due = time.ticks_ms()
        pause = FIRST_PAUSE
        while time.ticks_diff(time.ticks_ms(), start) < DEADLINE:
            self.watchdog.feed()
            try:
                if self.client is None:
                    self.connect()
                self.client.check_msg()
                if not self.verdict and time.ticks_diff(time.ticks_ms(), due) >= 0:
                    self.publish(b"/request/face_rec/" + self.request, picture)
                    due = time.ticks_add(time.ticks_ms(), random.randint(pause * 4 // 5, pause * 6 // 5))
                    pause = min(2 * pause, LONGEST_PAUSE)
            except (OSError, IndexError, AssertionError, MQTTException):  # umqtt's errors for a lost connection
                self.hang_up()
                time.sleep_ms(random.randint(500, 3000))
            if self.verdict.startswith(b"busy "):
                wait = 1000 * int(self.verdict[5:])
                due = time.ticks_add(time.ticks_ms(), random.randint(wait, wait * 6 // 5))
                self.verdict = b""
            elif self.verdict in TEMPORARY:
                self.verdict = b""
            elif self.verdict:
                break
            time.sleep_ms(20)
        return self.verdict

    def hang_up(self):
        if self.client and self.client.sock:
            self.client.sock.close()  # the board has few sockets
        self.client = None


def main():
    camera.init(0, format=camera.JPEG)
    device, number = Device(), 0
    while True:
        number += 1
        print(device.ask(number, camera.capture()).decode() or "no verdict")
        time.sleep_ms(INTERVAL)  # less than the watchdog and the keepalive of the connection allow


if __name__ == "__main__":
    main()
