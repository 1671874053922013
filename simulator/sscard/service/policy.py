"""The service's policy: what the item leaves open, as fields with defaults that a place may change.

A policy is a preset by name, or a file. A file is complete, or ``based_on`` a
preset of which it replaces some fields.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, field_validator

from sscard.document import Document as File
from sscard.document import Model, Place, Report, parse_document, read_document
from sscard.errors import InputError, InvalidValue, suggestion
from sscard.fields import missing_field
from sscard.i18n.phrase import Phrase
from sscard.issuer.holderbase import ListedCards
from sscard.service.channels import CHANNEL_RULES, Channel
from sscard.service.words import ApplicantKind, Document, Proof
from sscard.service.workdays import AnnouncedYear

PAGE: Final = "page"
"""The policy that adds to the item's page what it leaves open; also the source of a field that the page regulates."""
PRESETS: Final = {PAGE: "policy.yaml", "henan": "policy_henan.yaml"}
"""The policies that come with sscard, and their files."""
BASE: Final = "based_on"
MERGED: Final = ("documents", "calendar", "identity_proof")
"""Fields of which a file that is based on a preset may state a part."""
YEARS = range(1000, 10_000)


def _of_four_digits(year: int) -> int:
    if year not in YEARS:
        raise InvalidValue(Phrase("{year} is not a year", year=year), Phrase("write its four digits: 2026"))
    return year


class Policy(Model):
    """See ``policy.yaml``, which documents each field and the reason for its default."""

    file_fields: ClassVar[tuple[str, ...]] = (BASE,)
    proxy: Literal["refuse", "accept"] = "refuse"
    minors: Literal["refuse", "with guardian", "accept"] = "refuse"
    adult_age: int = Field(18, ge=1, le=100)
    register_age: int = Field(16, ge=1, le=100)
    card_as_id: bool = False
    unblock: Literal["refuse", "accept"] = "refuse"
    documents: dict[ApplicantKind, tuple[Document, ...]]
    identity_proof: dict[Channel, Proof] = Field({})
    cards: tuple[ListedCards, ...] = ()
    calendar: dict[Annotated[int, AfterValidator(_of_four_digits)], AnnouncedYear] = Field({})
    sources: dict[str, str] = Field({})

    @field_validator("calendar")
    @classmethod
    def _days_are_of_their_year(cls, calendar: dict[int, AnnouncedYear]) -> dict[int, AnnouncedYear]:
        for number, year in calendar.items():
            for day in (*year.off, *year.worked):
                if day.year != number:
                    raise InvalidValue(
                        Phrase("{day} is not in {year}", day=day.isoformat(), year=number),
                        Phrase("write it under the year it is in"),
                    )
        return calendar

    @field_validator("identity_proof")
    @classmethod
    def _channels_can_prove(cls, proofs: dict[Channel, Proof]) -> dict[Channel, Proof]:
        for channel, proof in proofs.items():
            possible = CHANNEL_RULES[channel].proofs
            if proof not in possible:
                raise InvalidValue(
                    Phrase("{channel}: no proof by {proof} there", channel=channel.words, proof=proof.words),
                    suggestion(proof.value, sorted(possible)),
                )
        return proofs

    @field_validator("sources")
    @classmethod
    def _sources_are_of_fields(cls, sources: dict[str, str]) -> dict[str, str]:
        for name in sources:
            if name not in cls.model_fields:
                raise InvalidValue(
                    Phrase("{name!r} is not a field of the policy", name=name), suggestion(name, cls.model_fields)
                )
        return sources

    @field_validator("documents")
    @classmethod
    def _everybody_has_a_document(
        cls, documents: dict[ApplicantKind, tuple[Document, ...]]
    ) -> dict[ApplicantKind, tuple[Document, ...]]:
        without = [kind.value for kind in ApplicantKind if not documents.get(kind)]
        if without:
            raise InvalidValue(
                Phrase("none for {names}", names=", ".join(without)),
                Phrase("name at least one for each kind of applicant"),
            )
        return documents

    def proof_at(self, channel: Channel) -> Proof:
        """The proof of identity that a channel requires."""
        return self.identity_proof.get(channel, Proof.NONE)


def policies() -> list[str]:
    """The names of the policies that come with sscard."""
    return sorted(PRESETS)


def find_policy(name: str) -> Policy:
    """A policy by name, or a file by path (anything else)."""
    return preset_policy(name) if name in PRESETS else load_policy(Path(name))


def load_policy(path: Path | None = None, report: Report | None = None) -> Policy:
    """A policy from its file, or the built-in policy of the page; ``report`` gets the errors after the first."""
    if path is None:
        return preset_policy(PAGE)
    return policy_in(read_document(path), report)


def policy_in(found: File, report: Report | None = None) -> Policy:
    """The policy that a document, or a part of one, describes; ``report`` as of ``load_policy``."""
    try:
        content = _completed(found)
    except InputError as error:
        if report is None:
            raise
        report(error)
        content = changed_fields(found.content | {BASE: PAGE})
    return File(content, found.places, found.source).as_model(Policy, report=report)


@cache
def preset_policy(name: str) -> Policy:
    """A policy that comes with sscard."""
    return File(preset_fields(name), {(): Place(1, 1)}, PRESETS[name]).as_model(Policy)


@cache
def preset_fields(name: str) -> dict[str, Any]:
    """The fields of a policy that comes with sscard, as written."""
    file = PRESETS[name]
    text = (resources.files("sscard.service") / file).read_text(encoding="utf-8")
    content: dict[str, Any] = _completed(parse_document(text, file))
    return content


def changed_fields(changes: dict[str, Any]) -> dict[str, Any]:
    """The fields of the preset that changes are based on, by default the page's, with these changes.

    The source of a changed field is the one that the changes state. ``InvalidValue`` if there is no such preset.
    """
    base = changes.get(BASE, PAGE)
    if base not in PRESETS:
        raise InvalidValue(Phrase("no policy {name!r}", name=str(base)), suggestion(str(base), PRESETS))
    preset = preset_fields(base)
    fields = preset | {field: value for field, value in changes.items() if field != BASE}
    for field in MERGED:
        if isinstance(changes.get(field), dict):
            fields[field] = preset.get(field, {}) | changes[field]
    own = changes.get("sources", {})
    if isinstance(own, dict):
        fields["sources"] = {field: text for field, text in preset["sources"].items() if field not in changes} | own
    return fields


def _completed(found: File) -> Any:
    """The content of a policy file, completed by the preset that it is based on, if there is one."""
    content = found.content
    if not isinstance(content, dict):
        return content
    if BASE not in content:
        if content and "documents" not in content:
            lacking = missing_field(("documents",)).problem
            remedy = Phrase("add it; or, to change some fields of a preset, name it: based_on: page")
            raise found.error((), lacking, remedy)
        return content
    try:
        return changed_fields(content)
    except InvalidValue as error:
        raise found.error((BASE,), error.said, error.remedy) from None
