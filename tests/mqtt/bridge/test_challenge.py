"""The messages between gateways."""

from __future__ import annotations

from gateway.mqtt.bridge.challenge import (
    Answer,
    Challenge,
    Claim,
    Serve,
    read_answer,
    read_challenge,
    read_claim,
    read_serve,
)


def test_each_message_is_read_as_it_is_written_and_as_nothing_else() -> None:
    challenge, answer = Challenge(b"0123456789abcdef"), Answer(b"0123456789abcdef", 12)
    assert (read_challenge(challenge.write()), read_answer(challenge.write())) == (challenge, None)
    assert (read_challenge(answer.write()), read_answer(answer.write())) == (None, answer)
    claim = Claim(b"0123456789abcdef")
    assert (read_claim(claim.write()), read_answer(claim.write()), read_challenge(claim.write())) == (claim, None, None)
    assert (read_claim(challenge.write()), read_claim(answer.write())) == (None, None)
    serve = Serve(b"0123456789abcdef")
    assert (read_serve(serve.write()), read_claim(serve.write()), read_challenge(serve.write())) == (serve, None, None)
    assert (read_serve(challenge.write()), read_serve(claim.write())) == (None, None)
