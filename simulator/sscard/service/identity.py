"""The applicant and the card as stored in a case: of an ID number, only a keyed digest and a masked form."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from pydantic import Field

from sscard.document import Model
from sscard.service.ids import age_on, read_id_number
from sscard.service.words import ApplicantKind, Document, Presence
from sscard.terminal import BasicData, Identity

VISIBLE_START: Final = 4
VISIBLE_END: Final = 2
DIGEST_CHARACTERS: Final = 32


class Applicant(Model):
    """A natural person who applies.

    ``id_number`` is the number of the identity document and is never shown. A name and a number that are left out are
    the card holder's. ``id_expires`` is the last day of the document, left out if it never expires.
    """

    name: str = ""
    id_number: str = Field(default="", repr=False)
    id_expires: date | None = None
    kind: ApplicantKind = ApplicantKind.CITIZEN
    lives_in_province: bool = True
    works_or_insured_in_province: bool = False
    presence: Presence = Presence.IN_PERSON

    def completed(self, name: str, id_number: str) -> Applicant:
        """The applicant with the card holder's name and ID number in place of those left out."""
        return self.model_copy(update={"name": self.name or name, "id_number": self.id_number or id_number})


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What a case and its journal store of an applicant, derived by ``person_of``: never the full ID number.

    A separate record: it adds what was determined on the day of the application (document, problem, minor)
    and is stored in the journal under its own field names. ``id_shown`` is the number with its middle masked,
    ``id_digest`` the keyed digest (32 hex digits); ``id_problem`` says what is wrong with the number.
    """

    name: str
    kind: ApplicantKind
    lives_in_province: bool
    works_or_insured_in_province: bool
    presence: Presence
    document: Document
    id_shown: str
    id_digest: str
    id_problem: str
    id_expires: date | None
    minor: bool

    def to_facts(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind.value,
            "lives": self.lives_in_province,
            "works": self.works_or_insured_in_province,
            "presence": self.presence.value,
            "document": self.document.value,
            "id_shown": self.id_shown,
            "id_digest": self.id_digest,
            "id_problem": self.id_problem,
            "id_expires": self.id_expires and self.id_expires.isoformat(),
            "minor": self.minor,
        }

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Person:
        return cls(
            name=facts["name"],
            kind=ApplicantKind(facts["kind"]),
            lives_in_province=facts["lives"],
            works_or_insured_in_province=facts["works"],
            presence=Presence(facts["presence"]),
            document=Document(facts["document"]),
            id_shown=facts["id_shown"],
            id_digest=facts["id_digest"],
            id_problem=facts["id_problem"],
            id_expires=date.fromisoformat(facts["id_expires"]) if facts["id_expires"] else None,
            minor=facts["minor"],
        )


@dataclass(frozen=True, slots=True)
class SeenCard:
    """What a case stores of the card: its identity, a digest of the holder's number, its last day (YYYYMMDD)."""

    identity: Identity
    holder_digest: str
    expires: str

    def to_facts(self) -> dict[str, Any]:
        return {
            "code": self.identity.identification_code,
            "number": self.identity.card_number,
            "holder_digest": self.holder_digest,
            "expires": self.expires,
        }

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> SeenCard:
        return cls(Identity(facts["code"], facts["number"]), facts["holder_digest"], facts["expires"])


def person_of(applicant: Applicant, key: bytes, today: date, adult_age: int) -> Person:
    """The stored data of an applicant."""
    number = read_id_number(applicant.id_number, today)
    return Person(
        name=applicant.name,
        kind=applicant.kind,
        lives_in_province=applicant.lives_in_province,
        works_or_insured_in_province=applicant.works_or_insured_in_province,
        presence=applicant.presence,
        document=number.document,
        id_shown=mask(applicant.id_number),
        id_digest=digest(applicant.id_number, key),
        id_problem=number.problem,
        id_expires=applicant.id_expires,
        minor=number.born is not None and age_on(number.born, today) < adult_age,
    )


def seen(card: BasicData, key: bytes) -> SeenCard:
    """The stored data of a card that was read."""
    return SeenCard(card.identity, digest(card.social_security_number, key), card.expires)


def digest(number: str, key: bytes) -> str:
    """HMAC-SHA-256 of an ID number, truncated to 16 bytes; without the key the numbers cannot be brute-forced."""
    text = number.strip().upper().encode()
    return hmac.new(key, b"id number\x00" + text, hashlib.sha256).hexdigest()[:DIGEST_CHARACTERS]


def mask(number: str) -> str:
    """The first four and last two characters; a short number is masked completely."""
    hidden = len(number) - VISIBLE_START - VISIBLE_END
    if hidden < VISIBLE_START:
        return "*" * len(number)
    return number[:VISIBLE_START] + "*" * hidden + number[-VISIBLE_END:]
