"""``sscard image export|import|check``: cards as JSON, the form for version control and other programs."""

from __future__ import annotations

from pathlib import Path

import click

from sscard.cli.options import force_option, image_argument, json_option
from sscard.cli.output import check_output, print_json
from sscard.cli.target import tell
from sscard.cli.types import FILE
from sscard.cli.usage import argument, group, option
from sscard.files import read_text, resolved
from sscard.i18n.language import N_, _

json_argument = argument("file", metavar=N_("IMAGE"), type=FILE, help=N_("JSON image file."))


@group("image")
def image() -> None:
    """JSON images: a portable copy of a card file, with its PIN and keys."""


@image.command("export")
@image_argument
@option("-o", "--output", type=FILE, required=True, help=N_("JSON image to write."))
@force_option
def export(image: str, output: Path, force: bool) -> None:
    """Write the card of a card file as a JSON image: the state after its last change, also while it is in use."""
    from sscard.issuer.cardfile import load_card
    from sscard.issuer.image import write_image
    from sscard.issuer.storage import write_whole
    from sscard.terminal.cards import image_path

    path = image_path(image)
    check_output(output, replace=force)
    target = resolved(output, _("expected the name of a JSON image, as in card.json"))
    write_whole(target, write_image(load_card(path, tell)).encode(), tell)
    click.echo(_("{output}: image of {card}", output=output, card=path))


@image.command("import")
@json_argument
@option("-o", "--output", type=FILE, required=True, help=N_("Card file to write."))
@force_option
def import_image(file: Path, output: Path, force: bool) -> None:
    """Make a card file of a JSON image; an image of an earlier version is migrated."""
    from sscard.issuer.cardfile import save_card
    from sscard.issuer.image import read_image

    check_output(output, replace=force)
    save_card(read_image(read_text(file), str(file), tell), output, tell)
    click.echo(_("{output}: card of {image}; look at it with: sscard show {output}", output=output, image=file))


@image.command("check")
@json_argument
@json_option
def check(file: Path, as_json: bool) -> None:
    """Check the structure, digest and values of a JSON image. Exits 2 if one is wrong."""
    from sscard.issuer.image import read_image

    name = read_image(read_text(file), str(file), tell).profile.personality.name
    if as_json:
        print_json("image-check", {"file": str(file), "personality": name})
    else:
        click.echo(_("{file}: image of a {personality} card, is good", file=file, personality=name))
