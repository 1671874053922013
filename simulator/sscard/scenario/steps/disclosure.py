"""The verbs that check what is shown, and to whom: PINs in the trace, the token of an HSM service."""

from __future__ import annotations

import json
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from sscard.conversation import Exchange
from sscard.conversation.explain import find_declaration
from sscard.document import Model
from sscard.hsm.operations import HsmOperations
from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.context import CHALLENGE_LENGTH, Bench
from sscard.scenario.step import KeyName, Listed, Outcome, Pin, Step
from sscard.standard.encoding import encode_pin

Token = Literal["right", "wrong", "none"]

AUTHORIZATIONS: Final[dict[Token, str]] = {"right": "Bearer right", "wrong": "Bearer wrong", "none": ""}
NOTHING_SHOWN: Final = "none"


class TraceHides(Step):
    """Check that no command of the scenario so far shows one of these PINs in the trace.

    Only commands that carry PINs in plaintext are searched: other data may contain the same bytes by chance.
    """

    verb: ClassVar[str] = "trace_hides"
    inserts: ClassVar[bool] = False
    trace_hides: Annotated[tuple[Pin, ...], Listed, Field(min_length=1, repr=False)]

    def run(self, bench: Bench) -> Outcome:
        pins = [encode_pin(pin).hex().upper() for pin in self.trace_hides]
        sent = [event for event in bench.connection.events if isinstance(event, Exchange)]
        shown = [
            say(event.name) for event in sent if _carries_pins(event) and any(pin in event.command for pin in pins)
        ]
        return Outcome(reported={"shown": ", ".join(shown) or NOTHING_SHOWN})

    def answers(self) -> dict[str, str]:
        return {"shown": NOTHING_SHOWN}


class HsmRequestData(Model):
    """A request to an HSM service: key and version (from 1), the token of the client, and the HTTP status to expect."""

    operation: Literal["address-of", "authentication-data"] = "address-of"
    key: KeyName
    version: Annotated[int, Field(ge=1, le=3)] = 1
    token: Token = "right"  # noqa: S105 - which token, not one
    status: Annotated[int, Field(ge=200, le=599)] = 200


class HsmRequest(Step):
    """Send the HSM a request as a client of ``sscard hsm serve`` does; ``data`` is the result.

    Authentication data is computed over the last challenge of the scenario, with zeros as original data.
    """

    verb: ClassVar[str] = "hsm_request"
    inserts: ClassVar[bool] = False
    hsm_request: HsmRequestData

    def run(self, bench: Bench) -> Outcome:
        asked = self.hsm_request
        fields: dict[str, str | int] = {"key": asked.key, "version": asked.version - 1}
        if asked.operation == "authentication-data":
            fields |= {
                "algorithm": bench.suite.algorithm_id,
                "city_code": bench.reference.city_code,
                "serial": bench.reference.serial.hex(),
                "factor": bench.challenge.hex(),
                "original": bytes(CHALLENGE_LENGTH).hex(),
            }
        service = HsmOperations(bench.hsm, "right")
        refusal = service.refusal(AUTHORIZATIONS[asked.token])
        reply = refusal or service.reply(asked.operation, json.dumps(fields).encode())
        return Outcome(data=bytes.fromhex(reply.body.get("result", "")), reported={"status": str(reply.status)})

    def answers(self) -> dict[str, str]:
        return {"status": str(self.hsm_request.status)}

    def title(self) -> Sayable:
        asked = self.hsm_request
        return Phrase(
            "hsm_request {operation} {key}, token {token}", operation=asked.operation, key=asked.key, token=asked.token
        )


def _carries_pins(event: Exchange) -> bool:
    declared = find_declaration(event.sent)
    return declared is not None and declared.pins is not None
