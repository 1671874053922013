"""The verbs trace_hides and hsm_request."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sscard.conversation import redaction
from sscard.scenario import ScenarioResult

Run = Callable[..., ScenarioResult]


def test_a_trace_without_pins_passes(run: Run) -> None:
    assert run("- verify_pin: 123456\n  state: verified\n- trace_hides: [123456, 654321]").passed


def test_a_pin_in_the_trace_is_named_by_its_command(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sscard.conversation.recorder.secret_places", lambda _command: redaction.NOWHERE)
    result = run("- verify_pin: 123456\n  state: verified\n- trace_hides: 123456")
    assert result.failure is not None
    assert [(found.field, found.actual) for found in result.failure.mismatches] == [
        ("shown", "VERIFY (PIN of 3 bytes)")
    ]


@pytest.mark.parametrize(("token", "status"), [("right", 200), ("wrong", 401), ("none", 401)])
def test_the_hsm_service_admits_the_right_token_only(run: Run, token: str, status: int) -> None:
    assert run(f"- hsm_request: {{key: PUK, token: {token}, status: {status}}}").passed
    assert not run(f"- hsm_request: {{key: PUK, token: {token}, status: 418}}").passed


def test_the_hsm_service_proves_a_key(run: Run) -> None:
    proof = "{operation: authentication-data, key: PUK}"
    assert run(f"- get_challenge: 8\n  state: challenge\n- hsm_request: {proof}\n  data: ... \n").passed
    assert not run(f"- hsm_request: {proof}\n  data: 00\n").passed


def test_a_key_without_such_a_version_is_refused_by_the_hsm(run: Run) -> None:
    assert run("- hsm_request: {key: PUK, version: 3, status: 409}").passed
