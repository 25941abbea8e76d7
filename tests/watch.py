"""A watch over answers and messages that tests see: each must be as OpenAPI and AsyncAPI describe it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pytest
import requests

from tests.described import faults_of_answer, faults_of_chosen_reply, faults_of_message
from tests.rest.ingress import PATH as INGRESS_PATH
from tests.support import Client

FOREIGN = ("homeassistant/", "$SYS/", "frigate")
"""The beginnings of topics that other programs define."""


class Watch:
    """The faults that were found.

    ``published``: the topics on which tests published something themselves. ``chosen``: the Response Topics.
    """

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.answers = self.messages = 0
        self.published: set[str] = set()
        self.chosen: set[str] = set()

    def see_answer(self, answer: requests.Response) -> None:
        request = answer.request
        # Behind Home Assistant the routes stand below a path.
        path = urlsplit(str(request.url)).path.removeprefix(INGRESS_PATH)
        self.answers += 1
        found = faults_of_answer(str(request.method), path, answer.status_code, answer.headers, answer.content)
        self.faults += [f"{request.method} {path} -> {answer.status_code}: {each}" for each in found]

    def see_message(self, message: paho.MQTTMessage) -> None:
        if message.topic in self.published or message.topic.startswith(FOREIGN):
            return
        self.messages += 1
        found = faults_of_message(message.topic, bytes(message.payload), message.qos)
        if message.topic in self.chosen:
            # A request chose this topic. If the choice was refused, the topic is still used as described.
            found = min(found, faults_of_chosen_reply(message.topic, bytes(message.payload), message.qos), key=len)
        self.faults += [f"{message.topic}: {each}" for each in found]


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Let the clients of the tests show everything that they receive to the watch."""
    send, receive, publish = requests.Session.send, Client._message, Client.publish

    def watched_send(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        answer = send(session, request, **options)
        if not options.get("stream"):
            watch.see_answer(answer)
        return answer

    def watched_receive(client: Client, paho_client: paho.Client, data: object, message: paho.MQTTMessage) -> None:
        watch.see_message(message)
        receive(client, paho_client, data, message)

    def watched_publish(client: Client, topic: str, *arguments: Any, **options: Any) -> None:
        watch.published.add(topic)
        if chosen := getattr(options.get("properties"), "ResponseTopic", None):
            watch.chosen.add(chosen)
        publish(client, topic, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.Session, "send", watched_send)
        patch.setattr(Client, "_message", watched_receive)
        patch.setattr(Client, "publish", watched_publish)
        yield


@pytest.fixture(scope="module", autouse=True)
def watch() -> Iterator[Watch]:
    """The watch over all answers and messages that the tests of a module receive."""
    watch = Watch()
    with watching(watch):
        yield watch


@pytest.fixture(autouse=True)
def everything_is_described(watch: Watch) -> Iterator[None]:
    """Fail the test if an answer or a message is not as OpenAPI and AsyncAPI describe it."""
    yield
    faults, watch.faults = watch.faults, []
    assert not faults, "\n".join(dict.fromkeys(faults))
