"""``sscard case consult``: the answer to an inquiry, without a case."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from sscard.cli.journal import now_in_china
from sscard.cli.options import json_option, none_option
from sscard.cli.output import print_json
from sscard.cli.types import FILE_OR_NONE, Words
from sscard.cli.usage import command, option
from sscard.i18n.language import N_, visible_lines

if TYPE_CHECKING:
    from sscard.service import Channel

item_option: Final = none_option(
    "--item", type=FILE_OR_NONE, help=N_("Item file, or 'none'. Default: the built-in item.")
)


@command("consult")
@option("--channel", type=Words("sscard.service:Channel"), help=N_("Channel of the inquiry. Default: window."))
@item_option
@json_option
def consult(channel: Channel | None, item: Path | None, as_json: bool) -> None:
    """Answer an inquiry: questions, answers and contacts of the item.

    Exits 1 if the item does not offer inquiries at the channel.
    """
    from sscard.service import Channel, PinService, Refusal, load_item

    answer = PinService(now_in_china, load_item(item)).consult(channel or Channel.WINDOW)
    refused = isinstance(answer, Refusal)
    if as_json:
        contacts = answer.complaints if isinstance(answer, Refusal) else answer.enquiries
        asked = () if isinstance(answer, Refusal) else answer.questions
        content = {
            "offered": not refused,
            "questions": [question.model_dump() for question in asked],
            "contacts": [contact.model_dump() for contact in contacts],
            "said": answer.text,
        }
        print_json("consultation", content)
    else:
        click.echo(visible_lines(answer.text))
    if refused:
        raise SystemExit(1)
