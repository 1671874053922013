"""The application that ``sscard case open`` takes from a file and from options, one option for each of its fields."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from enum import StrEnum
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from sscard.cli.types import DAY, NAME, Text, Words
from sscard.cli.usage import option
from sscard.errors import InputError
from sscard.i18n.language import N_, _, say

if TYPE_CHECKING:
    from sscard.service import Applicant
    from sscard.service.counter import ApplicationFile

CHANNEL: Final = Words("sscard.service:Channel")
REASON: Final = "--reason"
NO_REASON: Final = "none"
"""As ``--reason``: the citizen states a reason that the item does not accept."""


AGENT: Final = "agent_"
"""How the names of the options begin that are fields of ``Agent``."""


class _Answer(StrEnum):
    YES = "yes"
    NO = "no"


class ReasonOrNone(Words):
    """A reason of the item, or none of them."""

    @property
    def choices(self) -> list[str]:
        """The values."""
        return [*super().choices, NO_REASON]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The reason, or ``NO_REASON``."""
        return value if value == NO_REASON else super().convert(value, param, ctx)


def _is_yes(_ctx: click.Context, _parameter: click.Parameter, answer: _Answer | None) -> bool | None:
    return None if answer is None else answer is _Answer.YES


def _as_date(_ctx: click.Context, _parameter: click.Parameter, day: datetime | None) -> date | None:
    return None if day is None else day.date()


paper_option: Final = option(
    "--paper",
    "papers",
    type=Words("sscard.service:Paper"),
    multiple=True,
    help=N_("Paper that is handed in."),
)
proof_option: Final = option(
    "--proof", type=Words("sscard.service:ProofResult"), help=N_("Result of the proof of identity.")
)
_OPTIONS: Final = (
    option("--channel", type=CHANNEL, help=N_("Channel of the application.")),
    option("--handling", type=CHANNEL, help=N_("Channel that operates the card, if it is another.")),
    option(
        REASON,
        type=ReasonOrNone("sscard.service:Reason"),
        help=N_("Reason of the application; none: one that the item does not accept."),
    ),
    paper_option,
    option("--name", type=NAME, help=N_("Name of the applicant. Default: the card holder's.")),
    option("--id", "id_number", type=Text("ID"), help=N_("ID number of the applicant. Default: the holder's.")),
    option(
        "--document",
        type=Words("sscard.service:Document"),
        help=N_("Kind of the identity document. Default: by the form of its number."),
    ),
    option(
        "--expires",
        "id_expires",
        type=DAY,
        callback=_as_date,
        help=N_("Last day of the identity document. Default: it does not expire."),
    ),
    option("--kind", type=Words("sscard.service:ApplicantKind"), help=N_("Kind of the applicant.")),
    option(
        "--lives-in-province",
        type=Words(_Answer),
        callback=_is_yes,
        help=N_("Whether the applicant lives in the province. Default: yes."),
    ),
    option(
        "--works-or-insured-in-province",
        type=Words(_Answer),
        callback=_is_yes,
        help=N_("Whether the applicant works or is insured in the province. Default: no."),
    ),
    option("--presence", type=Words("sscard.service:Presence"), help=N_("Who comes. Default: in-person.")),
    option("--agent-name", type=NAME, help=N_("Name of the guardian or proxy.")),
    option("--agent-id", "agent_id_number", type=Text("ID"), help=N_("ID number of the guardian or proxy.")),
    option(
        "--pin-of",
        "which_pin",
        type=Words("sscard.service:WhichPin"),
        help=N_("PIN that the citizen means. Default: card."),
    ),
    proof_option,
    option("--key", type=Text(N_("TEXT")), help=N_("Idempotency key: the same key is the same case.")),
)


def application_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options; each has the name of a field of ``ApplicationFile``, ``Applicant``, or, after agent_, ``Agent``."""
    return reduce(lambda decorated, add: add(decorated), reversed(_OPTIONS), function)


def application_of(file: Path | None, given: dict[str, Any]) -> ApplicationFile:
    """The application of a file, overridden by the options that are given; ``InputError`` without a reason."""
    from pydantic import ValidationError

    from sscard.document import problem_in, read_document
    from sscard.service.counter import ApplicationFile
    from sscard.service.identity import Applicant

    if file is None and given["reason"] is None:
        raise InputError(
            _("option {name} is missing", name=REASON),
            remedy=_("--reason none is a reason that the item does not accept; an application file may have it too"),
        )
    wanted = read_document(file).as_model(ApplicationFile) if file else ApplicationFile()
    changes = {field: value for field, value in given.items() if value not in (None, "", ())}
    person = {field: changes.pop(field) for field in [*changes] if field in Applicant.model_fields}
    agent = {field.removeprefix(AGENT): changes.pop(field) for field in [*changes] if field.startswith(AGENT)}
    if changes.get("reason") == NO_REASON:
        changes["reason"] = None
    applicant = _changed(wanted.applicant, person, agent)
    try:
        return ApplicationFile.model_validate(dict(wanted) | changes | {"applicant": applicant})
    except ValidationError as error:  # the types of the other options have checked their values
        problem, remedy = problem_in(error.errors(include_url=False, include_input=False)[0])
        raise InputError(_("--key: {error}", error=say(problem)), remedy=remedy) from None


def _changed(applicant: Applicant, person: dict[str, Any], agent: dict[str, Any]) -> Applicant:
    """The applicant with other fields; ``InputError`` for a person without number, or an agent who may not be."""
    from pydantic import ValidationError

    from sscard.document import problem_in
    from sscard.service.words import Presence

    fields = applicant.model_dump() | person
    if agent or fields["presence"] is not Presence.IN_PERSON:
        fields["agent"] = (fields["agent"] or {}) | agent
        for name, flag in (("name", "--agent-name"), ("id_number", "--agent-id")):
            if name not in fields["agent"]:
                raise InputError(
                    _("option {name} is missing", name=flag),
                    remedy=_("give name and ID number of the guardian or proxy: --agent-name, --agent-id"),
                )
    if fields["name"] and not fields["id_number"]:
        raise InputError(
            _("the applicant has a name and no ID number"),
            remedy=_("give the number, --id or id_number; or leave out the name if the applicant is the card holder"),
        )
    try:
        return type(applicant).model_validate(fields)
    except ValidationError as error:
        problem, remedy = problem_in(error.errors(include_url=False, include_input=False)[0])
        raise InputError(problem, remedy=remedy) from None
