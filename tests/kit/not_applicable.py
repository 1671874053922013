"""What of the built-in suite is not applicable to a card that is not sscard's. `python -m kit.not_applicable` lists it.

One line per claim, reason and file, with the number of scenarios. Scenarios of another generation or interface are
left out: they are not runs for the card.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from sscard.card import Personality
from sscard.hsm import SoftHsm
from sscard.i18n.language import ENGLISH, say, speaking
from sscard.issuer import builtin_keys, make_personality, preset
from sscard.scenario.defaults import DEFAULT_SEED
from sscard.scenario.issuing import Issuer
from sscard.scenario.library import builtin_folder
from sscard.scenario.testbed.decision import Reason
from sscard.scenario.testbed.file import CardUnderTest, Testbed
from sscard.scenario.testbed.plan import plan, scenarios_on

LIST = Path(__file__).parents[1] / "scenario" / "not-applicable.txt"
CLAIMS = (
    preset("v3-sm4"),
    preset("v2-3des"),
    make_personality("1.0", name="v1-des-fci", algorithm="DES", fci_algorithm=True),
)
"""A 1.0 card whose FCI names its algorithm: terminals need that in most cities."""
OTHER_CARD = (Reason.GENERATION.value, Reason.INTERFACE.value)


class Applied(NamedTuple):
    """The number of scenarios for a claim, and the lines of those that are not applicable."""

    scenarios: int
    lines: list[str]
    running: int


def applied(claim: Personality) -> Applied:
    """What a run with every permission would do on a new card of the claim."""
    card = CardUnderTest(use="exec:", may_write=True, may_block=True, may_destroy=True, fresh="true")
    issuer = Issuer(builtin_keys(), SoftHsm(builtin_keys()))
    planned = plan(scenarios_on(claim, [builtin_folder()]), DEFAULT_SEED, Testbed(card, claim), issuer)
    mine = [each for each in planned if each.reason not in OTHER_CARD]
    with speaking(ENGLISH):
        counts = Counter(
            (say(each.reason), Path(each.scenario.source).relative_to(builtin_folder()).as_posix())
            for each in mine
            if not each.decision.runs
        )
    lines = [f"{claim.name}: {reason}: {file}: {count}" for (reason, file), count in sorted(counts.items())]
    return Applied(len(mine), lines, sum(each.decision.runs for each in mine))


if __name__ == "__main__":
    LIST.write_text("".join(f"{line}\n" for claim in CLAIMS for line in applied(claim).lines), encoding="utf-8")
