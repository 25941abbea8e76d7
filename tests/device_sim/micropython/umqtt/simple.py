"""umqtt.simple of micropython-lib, with its interface and its errors, written for CPython.

As in the original, ``pid`` grows without a limit, and its lowest 16 bits are sent. Publishing with QoS 1 and
subscribing wait for the acknowledgement of this ``pid``, and call callbacks meanwhile. Sockets have no timeout. The end
of a connection is an OSError.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP = 0x10, 0x20, 0x30, 0x40, 0x82, 0x90, 0xC0, 0xD0


class MQTTException(Exception):
    pass


def number(value: int) -> bytes:
    """Return two bytes. As in MicroPython's struct, higher bits are cut off."""
    return (value & 0xFFFF).to_bytes(2, "big")


def text(value: bytes) -> bytes:
    return number(len(value)) + value


def packet(first: int, body: bytes) -> bytes:
    left, length = len(body), b""
    while True:
        left, low = divmod(left, 128)
        length += bytes([low | (0x80 if left else 0)])
        if not left:
            return bytes([first]) + length + body


class MQTTClient:
    def __init__(
        self,
        client_id: bytes,
        server: str,
        port: int = 0,
        user: bytes | None = None,
        password: bytes | None = None,
        keepalive: int = 0,
        ssl: None = None,
    ) -> None:
        self.sock: socket.socket | None = None
        self.pid = 0
        self._client_id = client_id
        self._address = server, port or 1883
        self._login = (user, password)
        self._keepalive = keepalive
        self._will: tuple[bytes, bytes, bool, int] | None = None
        self._callback: Callable[[bytes, bytes], None] | None = None

    def set_callback(self, callback: Callable[[bytes, bytes], None]) -> None:
        self._callback = callback

    def set_last_will(self, topic: bytes, msg: bytes, retain: bool = False, qos: int = 0) -> None:
        self._will = topic, msg, retain, qos

    def connect(self, clean_session: bool = True) -> bool:
        self.sock = socket.socket()
        self.sock.connect(self._address)
        flags, body = clean_session << 1, text(self._client_id)
        if self._will:
            topic, message, retain, qos = self._will
            flags |= 0x04 | qos << 3 | retain << 5
            body += text(topic) + text(message)
        user, password = self._login
        if user is not None and password is not None:
            flags |= 0xC0
            body += text(user) + text(password)
        self._write(packet(CONNECT, text(b"MQTT") + bytes([4, flags]) + number(self._keepalive) + body))
        first, _, session, code = self._read(4)
        assert first == CONNACK
        if code:
            raise MQTTException(code)
        return bool(session & 1)

    def publish(self, topic: bytes, msg: bytes, retain: bool = False, qos: int = 0) -> None:
        if not qos:
            self._write(packet(PUBLISH | retain, text(topic) + msg))
            return
        self.pid += 1
        mine = self.pid
        self._write(packet(PUBLISH | qos << 1 | retain, text(topic) + number(mine) + msg))
        while True:
            if self.wait_msg() == PUBACK:
                self._read(1)
                if int.from_bytes(self._read(2), "big") == mine:
                    return

    def subscribe(self, topic: bytes, qos: int = 0) -> None:
        assert self._callback is not None
        self.pid += 1
        self._write(packet(SUBSCRIBE, number(self.pid) + text(topic) + bytes([qos])))
        while self.wait_msg() != SUBACK:
            pass
        _, high, low, code = self._read(4)
        assert bytes([high, low]) == number(self.pid)
        if code == 0x80:
            raise MQTTException(code)

    def ping(self) -> None:
        self._write(packet(PINGREQ, b""))

    def check_msg(self) -> int | None:
        assert self.sock is not None
        self.sock.setblocking(False)
        return self.wait_msg()

    def wait_msg(self) -> int | None:
        assert self.sock is not None
        try:
            head = self.sock.recv(1)
        except BlockingIOError:
            return None
        finally:
            self.sock.setblocking(True)
        if head == b"":
            raise OSError(-1)
        if head[0] == PINGRESP:
            self._read(1)
            return None
        if head[0] & 0xF0 == PUBLISH:
            self._incoming(head[0])
        return head[0]

    def _incoming(self, first: int) -> None:
        body = self._read(self._length())
        end = 2 + int.from_bytes(body[:2], "big")
        start = end + (2 if first & 0x06 else 0)
        assert self._callback is not None
        self._callback(body[2:end], body[start:])
        if first & 0x06 == 0x02:
            self._write(packet(PUBACK, body[end:start]))

    def _length(self) -> int:
        length = shift = 0
        while True:
            (byte,) = self._read(1)
            length |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return length
            shift += 7

    def _read(self, size: int) -> bytes:
        assert self.sock is not None
        found = b""
        while len(found) < size:
            more = self.sock.recv(size - len(found))
            if more == b"":
                raise IndexError("the connection has ended")
            found += more
        return found

    def _write(self, data: bytes) -> None:
        assert self.sock is not None
        self.sock.sendall(data)
