"""Holder bases of each form, and one that gives no answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kit.waiting import in_thread
from sscard.errors import HolderBaseUnavailable
from sscard.hsm import SoftHsm
from sscard.hsm.holderbase import HttpHolderBase
from sscard.hsm.http import HttpHsm
from sscard.hsm.server import HsmServer
from sscard.i18n.phrase import Phrase
from sscard.issuer import builtin_keys
from sscard.issuer.holderbase import HolderBase
from sscard.issuer.standing import Standing

TOKEN = "the-token-of-the-tests"


class SilentBase:
    """A holder base that gives no answer; ``asked`` counts the questions."""

    asked = 0

    def standing(self, _card_number: str) -> Standing:
        self.asked += 1
        raise HolderBaseUnavailable(Phrase("no line to the base"))


@contextmanager
def served_base(base: HolderBase) -> Iterator[HttpHolderBase]:
    """The client of a service that offers a base."""
    with (
        HsmServer(SoftHsm(builtin_keys()), TOKEN, holder_base=base, port=0) as server,
        in_thread(server.serve_forever, server.shutdown),
        HttpHsm(server.url, TOKEN) as client,
    ):
        yield HttpHolderBase(client)
