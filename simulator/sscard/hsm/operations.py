"""The operations of an HSM service: requests and answers in JSON, and their OpenAPI document. No server is needed.

A request is ``POST /v1/<operation>`` with a JSON object, an answer
``{"result": "<hex>"}`` or ``{"error": "<text>"}``:

====================  ==========================================================================
operation             fields (hex digits where bytes are meant)
====================  ==========================================================================
address-of            key, version (from 0)
authentication-data   algorithm, KEY, city_code, serial (8), factor (4, 8, 16), original (8)
safe-message          algorithm, KEY, city_code, serial, factor, header (5, then data), pin (0–8) or null
purchase-mac          algorithm, KEY, city_code, serial, factor, message
transaction-proof     algorithm, KEY, city_code, serial, message
====================  ==========================================================================

KEY is either ``address``, from ``address-of``, or ``key`` and ``version``
(default 0), which save that request. All operations are pure computations: a
repeated request has the same answer and no other effect. The body is UTF-8, or
in the charset that Content-Type names. The server takes further operations.

Status 200; 400 no such request; 404 no such operation; 409 the HSM refused,
with its words; 503 the HSM or holder base behind the service is not available; those of the
server are in ``sscard.hsm.server``. No answer holds a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, NamedTuple, Self

from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema, model_validator

from sscard.document import Model, problem_in
from sscard.errors import HolderBaseUnavailable, InputError, InvalidValue
from sscard.hsm.protocol import Hsm, HsmError, HsmUnavailable, locator
from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase
from sscard.issuer.hierarchy import CardReference
from sscard.standard.cipher import equal
from sscard.version import __version__

HEALTH: Final = "/health"
NO_WORDS: Final = "- -"
ADDRESS: Final = "[0-9A-F]{4}"


def _bytes_of(text: object) -> object:
    try:
        return bytes.fromhex(text) if isinstance(text, str) else text
    except ValueError:
        raise InvalidValue(Phrase("hex digits expected, two for each byte")) from None


Hex = Annotated[
    bytes,
    BeforeValidator(_bytes_of),
    WithJsonSchema({"type": "string", "pattern": "^([0-9A-Fa-f]{2})*$", "description": "bytes as hex digits"}),
]
CityCode = Annotated[str, Field(pattern="^[0-9]{6}$")]
KeyAddress = Annotated[str, Field(pattern=f"^{ADDRESS}$")]
KeyName = Annotated[str, Field(min_length=1, max_length=32)]
KeyVersion = Annotated[int, Field(ge=0)]


class Request(Model):
    """The fields of a request; ``words`` are those that may be logged."""

    @property
    def words(self) -> str:
        return NO_WORDS


class Operation(NamedTuple):
    """An operation for clients: the fields of its request, and the function that returns the result."""

    request: type[Request]
    answer: Callable[[Any], str]


class _AddressOf(Request):
    key: KeyName
    version: KeyVersion = 0

    @property
    def words(self) -> str:
        return "-"


class _OfCard(Request):
    algorithm: int
    address: KeyAddress = ""
    key: KeyName = ""
    version: KeyVersion = 0
    city_code: CityCode
    serial: Annotated[Hex, Field(min_length=8, max_length=8)]

    @model_validator(mode="after")
    def _names_one_key(self) -> Self:
        if bool(self.address) == bool(self.key):
            raise InvalidValue(Phrase("either address or key expected"))
        return self

    def located(self, locate: Callable[[str, int], str]) -> Self:
        """The request with the address of the key that it names; ``HsmError`` if there is none."""
        return self if self.address else self.model_copy(update={"address": locate(self.key, self.version)})

    @property
    def card(self) -> CardReference:
        return CardReference(self.city_code, self.serial)

    @property
    def words(self) -> str:
        """The key's address, if it is known, and the card's district."""
        return f"{self.address if re.fullmatch(ADDRESS, self.address) else '-'} {self.city_code}"


class _AuthenticationData(_OfCard):
    factor: Hex
    original: Hex


class _SafeMessage(_OfCard):
    factor: Hex
    header: Hex
    pin: Hex | None


class _PurchaseMac(_OfCard):
    factor: Hex
    message: Hex


class _TransactionProof(_OfCard):
    message: Hex


def hsm_operations(hsm: Hsm) -> dict[str, Operation]:
    """The operations of the protocol ``Hsm``."""

    def authentication_data(asked: _AuthenticationData) -> str:
        return _digits(
            hsm.authentication_data(asked.algorithm, asked.address, asked.card, asked.factor, asked.original)
        )

    def safe_message(asked: _SafeMessage) -> str:
        return _digits(
            hsm.safe_message(asked.algorithm, asked.address, asked.card, asked.factor, asked.header, asked.pin)
        )

    def purchase_mac(asked: _PurchaseMac) -> str:
        return _digits(hsm.purchase_mac(asked.algorithm, asked.address, asked.card, asked.factor, asked.message))

    def transaction_proof(asked: _TransactionProof) -> str:
        return _digits(hsm.transaction_proof(asked.algorithm, asked.address, asked.card, asked.message))

    return {
        "address-of": Operation(_AddressOf, lambda asked: hsm.address_of(asked.key, asked.version)),
        "authentication-data": Operation(_AuthenticationData, authentication_data),
        "safe-message": Operation(_SafeMessage, safe_message),
        "purchase-mac": Operation(_PurchaseMac, purchase_mac),
        "transaction-proof": Operation(_TransactionProof, transaction_proof),
    }


def _digits(data: bytes) -> str:
    return data.hex().upper()


class Reply(NamedTuple):
    """Status, body, and the log entry of the request: operation, address and district."""

    status: int
    body: dict[str, str]
    words: str


class HsmOperations:
    """What a service does for clients with its token: the operations of an HSM, and ``further`` ones."""

    def __init__(self, hsm: Hsm, token: str, further: Mapping[str, Operation] | None = None) -> None:
        if not token:
            raise ValueError("the token is empty")
        self._expected = f"Bearer {token}".encode()
        self._locate = locator(hsm)
        self._operations = {**hsm_operations(hsm), **(further or {})}

    def refusal(self, authorization: str) -> Reply | None:
        """The answer to a client whose header ``Authorization`` lacks the token; ``None`` for an admitted one."""
        if equal(authorization.encode(), self._expected):
            return None
        return Reply(401, {"error": "the service's token is missing or wrong"}, NO_WORDS)

    def reply(self, operation: str, body: bytes, charset: str = "utf-8") -> Reply:
        """Do one request of an admitted client."""
        if operation not in self._operations:
            return Reply(404, {"error": f"no such operation; there are {', '.join(self._operations)}"}, NO_WORDS)
        wanted, answer = self._operations[operation]
        try:
            request = wanted.model_validate_json(body.decode(charset))
        except ValidationError as error:
            wrong = (  # never the given values
                f"{'.'.join(map(str, detail['loc'])) or 'request'}: {say(problem_in(detail)[0])}"
                for detail in error.errors()
            )
            return Reply(400, {"error": "; ".join(wrong)}, f"{operation} -")
        except (LookupError, ValueError):  # a charset with a null character
            return Reply(400, {"error": "the body is not text in its charset"}, f"{operation} -")
        try:
            if isinstance(request, _OfCard):
                request = request.located(self._locate)
            return Reply(200, {"result": answer(request)}, f"{operation} {request.words}")
        except (HsmUnavailable, HolderBaseUnavailable) as error:
            status, refusal = 503, say(error.said)
        except InputError as error:
            status, refusal = 400, str(error)
        except HsmError as error:
            status, refusal = 409, str(error)
        return Reply(status, {"error": refusal}, f"{operation} {request.words}")

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI 3.1 document of the service, with its health endpoint."""
        schemas: dict[str, Any] = {
            name: {"type": "object", "required": [name.lower()], "properties": {name.lower(): {"type": "string"}}}
            for name in ("Result", "Error", "Status")
        }
        health = {"summary": "whether the service runs", "security": [], "responses": _answers("Status")}
        paths: dict[str, Any] = {HEALTH: {"get": health}}
        for name, (request, _) in self._operations.items():
            schema = request.__name__.removeprefix("_")
            schemas[schema] = made = request.model_json_schema() | {"title": schema}
            if issubclass(request, _OfCard):  # either of them, and no default that a client would send
                made["oneOf"] = [{"required": ["address"]}, {"required": ["key"]}]
                for field in ("address", "key"):
                    del made["properties"][field]["default"]
            post = {"requestBody": {"required": True, "content": _content(schema)}, "responses": _answers("Result")}
            paths[f"/v1/{name}"] = {"post": {"operationId": name, **post}}
        return {
            "openapi": "3.1.0",
            "info": {"title": "sscard HSM service", "version": __version__},
            "security": [{"token": []}],
            "paths": paths,
            "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        }


def _answers(schema: str) -> dict[str, Any]:
    return {
        "200": {"description": "done", "content": _content(schema)},
        "default": {"description": "refused, with the reason", "content": _content("Error")},
    }


def _content(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
