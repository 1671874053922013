"""The applicant and the card as stored in a case: of an ID number, only a keyed digest and a masked form."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from pydantic import Field, model_validator

from sscard.document import Model
from sscard.errors import InvalidValue
from sscard.i18n.phrase import Phrase
from sscard.service.ids import NOT_VALID, age_on, read_id_number
from sscard.service.policy import Policy
from sscard.service.words import ApplicantKind, Document, Presence
from sscard.terminal import BasicData, Identity

VISIBLE_START: Final = 4
VISIBLE_END: Final = 2
DIGEST_CHARACTERS: Final = 32


class Agent(Model):
    """The guardian or proxy who acts for the applicant: name, and number of the own identity document."""

    name: str = Field(min_length=1)
    id_number: str = Field(repr=False)

    def recorded(self, key: bytes, today: date, adult_age: int) -> ActingPerson:
        """The stored data."""
        number = read_id_number(self.id_number, today)
        minor = number.born is not None and age_on(number.born, today) < adult_age
        return ActingPerson(self.name, mask(self.id_number), digest(self.id_number, key), number.problem, minor)


class Applicant(Model):
    """A natural person who applies.

    ``id_number`` is the number of the identity document and is never shown. A name and a number that are left out are
    the card holder's. ``document`` is the kind of the document; left out, it is the one of this form that the policy
    accepts for the kind of applicant, of a child the household register. ``id_expires`` is its last day, left out if
    it never expires. ``agent`` is the guardian or proxy who acts.
    """

    name: str = ""
    id_number: str = Field(default="", repr=False)
    document: Document | None = None
    id_expires: date | None = None
    kind: ApplicantKind = ApplicantKind.CITIZEN
    lives_in_province: bool = True
    works_or_insured_in_province: bool = False
    presence: Presence = Presence.IN_PERSON
    agent: Agent | None = None

    @model_validator(mode="after")
    def _agent_acts(self) -> Applicant:
        if self.agent is not None and self.presence is Presence.IN_PERSON:
            raise InvalidValue(
                Phrase("there is an agent, but the applicant is present in person"),
                Phrase("state presence: guardian or proxy, or leave the agent out"),
            )
        return self

    def completed(self, name: str, id_number: str) -> Applicant:
        """The applicant with the card holder's name and ID number in place of those left out."""
        return self.model_copy(update={"name": self.name or name, "id_number": self.id_number or id_number})


@dataclass(frozen=True, slots=True)
class ActingPerson:
    """What a case and its journal store of a guardian or proxy; the fields as those of ``Person``.

    ``minor`` is false in a journal of 0.2.0, which does not have it.
    """

    name: str
    id_shown: str
    id_digest: str
    id_problem: str
    minor: bool = False

    def to_facts(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "id_shown": self.id_shown,
            "id_digest": self.id_digest,
            "id_problem": self.id_problem,
            "minor": self.minor,
        }

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> ActingPerson:
        return cls(**facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What a case and its journal store of an applicant, derived by ``person_of``: never the full ID number.

    A separate record: it adds what was determined on the day of the application (document, problem, minor)
    and is stored in the journal under its own field names. ``id_shown`` is the number with its middle masked,
    ``id_digest`` the keyed digest (32 hex digits); ``id_problem`` says what is wrong with the number. ``child``:
    of a kind and so young that the household register is an identity document. Journals of 0.2.0 have neither
    ``name_digest`` (empty then, as without a name), ``child`` nor ``agent``.
    """

    name: str
    name_digest: str
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
    child: bool
    agent: ActingPerson | None

    def to_facts(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "name_digest": self.name_digest,
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
            "child": self.child,
            "agent": self.agent and self.agent.to_facts(),
        }

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Person:
        return cls(
            name=facts["name"],
            name_digest=facts.get("name_digest", ""),
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
            child=facts.get("child", False),
            agent=ActingPerson.from_facts(facts["agent"]) if facts.get("agent") else None,
        )


@dataclass(frozen=True, slots=True)
class SeenCard:
    """What a case stores of the card: identity, digests of the holder's number and name, last day (YYYYMMDD).

    ``name_digest`` is empty in a journal of 0.2.0.
    """

    identity: Identity
    holder_digest: str
    name_digest: str
    expires: str

    def to_facts(self) -> dict[str, Any]:
        return {
            "code": self.identity.identification_code,
            "number": self.identity.card_number,
            "holder_digest": self.holder_digest,
            "name_digest": self.name_digest,
            "expires": self.expires,
        }

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> SeenCard:
        identity = Identity(facts["code"], facts["number"])
        return cls(identity, facts["holder_digest"], facts.get("name_digest", ""), facts["expires"])


def person_of(applicant: Applicant, key: bytes, today: date, policy: Policy) -> Person:
    """The stored data of an applicant."""
    number = read_id_number(applicant.id_number, today)
    age = age_on(number.born, today) if number.born else None
    admitted = policy.documents[applicant.kind]
    child = age is not None and age < policy.register_age and Document.HOUSEHOLD_REGISTER in admitted
    accepted = [document for document in number.documents if document in admitted]
    if child and Document.HOUSEHOLD_REGISTER in accepted:
        accepted = [Document.HOUSEHOLD_REGISTER]
    document = applicant.document or (*accepted, *number.documents)[0]
    return Person(
        name=applicant.name,
        name_digest=name_digest(applicant.name, key),
        kind=applicant.kind,
        lives_in_province=applicant.lives_in_province,
        works_or_insured_in_province=applicant.works_or_insured_in_province,
        presence=applicant.presence,
        document=document,
        id_shown=mask(applicant.id_number),
        id_digest=digest(applicant.id_number, key),
        id_problem=number.problem if document in number.documents else NOT_VALID,
        id_expires=applicant.id_expires,
        minor=age is not None and age < policy.adult_age,
        child=child,
        agent=applicant.agent.recorded(key, today, policy.adult_age) if applicant.agent else None,
    )


def seen(card: BasicData, key: bytes) -> SeenCard:
    """The stored data of a card that was read."""
    number = digest(card.social_security_number, key)
    return SeenCard(card.identity, number, name_digest(card.name, key), card.expires)


def digest(number: str, key: bytes) -> str:
    """HMAC-SHA-256 of an ID number, truncated to 16 bytes; without the key the numbers cannot be brute-forced."""
    return _keyed(b"id number", number.strip().upper(), key)


def name_digest(name: str, key: bytes) -> str:
    """As ``digest``, of a name without spaces, whatever width and case its letters have; empty without a name."""
    text = "".join(unicodedata.normalize("NFKC", name).split()).casefold()
    return _keyed(b"name", text, key) if text else ""


def _keyed(what: bytes, text: str, key: bytes) -> str:
    return hmac.new(key, what + b"\x00" + text.encode(), hashlib.sha256).hexdigest()[:DIGEST_CHARACTERS]


def mask(number: str) -> str:
    """The first four and last two characters; a short number is masked completely."""
    hidden = len(number) - VISIBLE_START - VISIBLE_END
    if hidden < VISIBLE_START:
        return "*" * len(number)
    return number[:VISIBLE_START] + "*" * hidden + number[-VISIBLE_END:]
