"""Cards that are not the bench's own: a card file behind a program, and its testbed file."""

from __future__ import annotations

import re
import secrets
import sys
from pathlib import Path
from textwrap import indent

from sscard.issuer import order_card, personalise
from sscard.issuer.cardfile import save_card
from sscard.issuer.hierarchy import TEST_KEYS, builtin_keys
from sscard.issuer.lookup import load_keys

SSCARD = f"{sys.executable} -m sscard"


def random_roots(folder: Path) -> Path:
    """A key file with the names and addresses of the test keys and random values."""
    file = folder / "roots.yaml"
    values = re.compile("\\b(?:[0-9A-F]{16}){1,2}\\b")
    text = values.sub(lambda found: secrets.token_hex(len(found[0]) // 2).upper(), Path(TEST_KEYS).read_text("utf-8"))
    file.write_text(text, "utf-8")
    return file


class ForeignCard:
    """A card file in a folder, the command that issues it again, and the testbed file of the card behind a program.

    It is issued under the test keys, or the root keys of a file.
    """

    def __init__(
        self,
        folder: Path,
        personality: str = "v3-sm4",
        *,
        claim: str = "",
        contact: bool = True,
        keys: Path | None = None,
    ) -> None:
        self.folder = folder
        self.file = folder / "card.db"
        self.testbed = folder / "testbed.yaml"
        self.claim = claim or personality
        self.contact = contact
        self.issue = f"{SSCARD} issue -o {self.file} --force --personality {personality} --city 410402"
        self.issue += f" --keys {keys}" if keys else ""
        order = order_card(personality=personality, seed=7, city="410402")
        save_card(personalise(order, load_keys(keys) if keys else builtin_keys()), self.file)

    @property
    def program(self) -> str:
        """The URL of the card behind ``sscard apdu``, in another process."""
        return f"exec:{SSCARD} apdu {self.file} --raw" + ("" if self.contact else " --contactless")

    def placed(self, use: str = "", fresh: str | None = None, hsm: str = "", **fields: object) -> Path:
        """The testbed file of the card, with every permission unless ``fields`` say otherwise, and of an HSM."""
        given = {"may_write": "yes", "may_block": "yes", "may_destroy": "yes"} | fields
        lines = [f'use: "{use or self.program}"', f"personality: {self.claim}"]
        lines += [f'fresh: "{self.issue if fresh is None else fresh}"']
        lines += [f"interface: {'contact' if self.contact else 'contactless'}"]
        lines += [f"{name}: {value}" for name, value in given.items()]
        self.testbed.write_text("card:\n" + indent("\n".join(lines), "  ") + "\n" + (f"hsm: {hsm}\n" if hsm else ""))
        return self.testbed
