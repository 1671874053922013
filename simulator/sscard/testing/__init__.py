"""For tests of your own: pytest fixtures and hypothesis strategies.

pytest loads the plugin of an installed sscard in every project. It imports
nothing of the simulator until a test uses it. The fixtures:

- ``social_card``: an issued card at rest, a ``sscard.Card``. The marker
  ``@pytest.mark.social_card(personality="v2-3des", pin="654321")`` takes the
  parameters of ``sscard.issue_card``, on a test, a class or a module. The
  default seed is that of ``--sscard-seed``, so the card is the same in every
  run. Call ``sscard.issue_card`` for a second card.
- ``card_session``: a ``sscard.CardSession`` on ``social_card``, in this process,
  with the HSM of its keys.
- ``virtual_reader``: ``social_card`` in a PC/SC reader of a private pcscd, a
  ``VirtualReader``. The daemon is started once per test run (and per worker
  of pytest-xdist) and is never the one of the machine. A test is skipped, with
  the reason, on a machine without pcscd, the driver of virtual readers, mount
  namespaces or pyscard.
- ``card_benchmark``: pytest-benchmark on ``social_card``, which is as issued
  before each round: ``card_benchmark(lambda session: session.reset_pin("654321"))``,
  a ``sscard.testing.benchmark.CardBenchmark``. In a test with ``virtual_reader``,
  or with ``--sscard-transport pcsc``, over PC/SC. A test is skipped without pytest-benchmark.

The strategies are in ``sscard.testing.strategies`` and need hypothesis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sscard.issuer import Card
    from sscard.transport.vpcd import VirtualReaderSlot

__all__ = ["VirtualReader"]


class VirtualReader(NamedTuple):
    """A PC/SC reader with a card in it.

    ``name`` is what PC/SC lists. ``environment`` is what a program needs in its
    environment to find the daemon; this process has it. ``slot.remove()`` and
    ``slot.insert()`` take the card out and put it back; pcscd polls every 0.4 s,
    ``sscard.transport.pcsc.wait_for_card`` waits for it. ``card`` is the card
    itself, to look into while a program uses it.
    """

    name: str
    environment: Mapping[str, str]
    slot: VirtualReaderSlot
    card: Card
