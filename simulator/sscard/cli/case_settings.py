"""The settings with which a case was opened, compared with the options of the command that continues it."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final

import click
from click.core import ParameterSource

from sscard.cli.usage import option
from sscard.errors import InputError
from sscard.i18n.language import N_, _, visible

if TYPE_CHECKING:
    from sscard.service import Case
    from sscard.service.settings import Settings

change_settings_option: Final = option(
    "--change-settings",
    "change",
    is_flag=True,
    help=N_("Continue with other settings than those the case was opened with, and record them."),
)


def preset_of(found: Case, given: str, name: str) -> str:
    """``given``, the value of the option ``name``; if it is left out, the preset that the case was opened with."""
    left_out = click.get_current_context().get_parameter_source(name) is ParameterSource.DEFAULT
    recorded = getattr(found.settings, name, None)
    return recorded.name if left_out and recorded and not recorded.digest else given


def check_settings(found: Case, given: Settings | None) -> None:
    """``InputError`` if the case was opened with other settings; one of an older journal has none."""
    recorded = found.settings
    if recorded is None or given is None or recorded == given:
        return
    pairs = [(getattr(recorded, field.name), getattr(given, field.name)) for field in fields(recorded)]
    changed = [known.name for known, now in pairs if known != now and known.name == now.name]
    words = {"number": found.number, "options": visible(recorded.options_instead_of(given))}
    problem = _("case {number} was opened with {options}", **words)
    remedy = _(
        "repeat these options; or continue it with others: sscard case resume {number} --change-settings", **words
    )
    if changed:
        problem = _(
            "case {number} was opened with {options}, and the content of {file} was another",
            **words,
            file=visible(changed[0]),
        )
    elif not recorded.options:
        problem = _("case {number} was opened without --policy, --item, --place and --holder-base", **words)
        remedy = _(
            "leave them out; if they are set in the configuration or by a variable, give {options}; "
            "or continue it with them: sscard case resume {number} --change-settings",
            **words,
        )
    raise InputError(problem, remedy=remedy)
