"""``sscard testbed check|schema``, and the card under test of ``sscard run``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from sscard.cli.chosen import chosen_issuing, hsm_refusals
from sscard.cli.options import json_option, paths_argument
from sscard.cli.output import print_json
from sscard.cli.types import FILE, SEED
from sscard.cli.usage import argument, exclude, given_names, group, option
from sscard.errors import InputError, MissingPart
from sscard.i18n.language import N_, _, say, visible
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario import DEFAULT_SEED

if TYPE_CHECKING:
    from sscard.scenario import Scenario
    from sscard.scenario.issuing import Issuing, OwnCards
    from sscard.scenario.testbed.file import Testbed
    from sscard.scenario.testbed.plan import Planned
    from sscard.scenario.transports import Link

EXCLUDED = ("--transport", "-n")
"""Options of ``run`` for cards of sscard."""


@group("testbed")
def testbed() -> None:
    """The testbed: which card and HSM stand where, and what a run may do to the card."""


@testbed.command("check")
@argument("file", type=FILE, help=N_("Testbed file."))
@paths_argument
@option("--seed", type=SEED, default=DEFAULT_SEED, help=N_("Seed of challenges, made-up holders and the clock."))
@json_option
def check(file: Path, paths: tuple[Path, ...], seed: int, as_json: bool) -> None:
    """Check a testbed file and print the plan of a run, without touching the card.

    The plan is for a new card of the claim: what runs, what is not applicable
    and why, what needs a permission that the file does not give. Without card:
    in the file, the cards are sscard's own. The waiver file of the testbed is
    checked too: each waiver names a scenario of PATHS, and a step and field of
    it.
    """
    from sscard.scenario.library import find_scenarios
    from sscard.scenario.testbed.decision import Decision
    from sscard.scenario.testbed.file import Testbed
    from sscard.scenario.testbed.plan import Planned, plan, scenarios_on
    from sscard.scenario.waiving import checked
    from sscard.standard.choices import CHOICES

    found = read(file)
    on_card = found if isinstance(found, Testbed) else None
    if on_card and on_card.unknown == CHOICES.keys():
        raise InputError(
            _("the personality is unknown, and the plan does not touch the card"),
            file=str(file),
            remedy=_("write it to a file: sscard probe --testbed {file} -o personality.yaml", file=file),
        )
    scenarios = scenarios_on(on_card.claimed, paths) if on_card else find_scenarios(list(paths))
    waivers = checked(found.waivers, scenarios) if found.waivers else None
    if on_card:
        with hsm_refusals(), on_card.open() as issuer:
            planned = [*plan(scenarios, seed, on_card, issuer)]
    else:
        planned = [*map(Planned, scenarios)]
    if as_json:
        entries = [
            {
                "name": each.scenario.name,
                "file": each.scenario.source,
                "runs": each.runs,
                "reason": say(each.reason),
                "permission": decision.permission,
                "fresh": decision.fresh,
                "destroys": decision.destroys,
                "removes": each.removes,
            }
            for each in planned
            for decision in (each.decision or Decision(),)
        ]
        print_json("testbed-plan", {"scenarios": entries, "waivers": waivers.facts() if waivers else []})
        return
    if not on_card:
        from sscard.hsm.registry import HSMS

        click.echo(_("sscard's own cards, HSM {url}", url=HSMS.shown(found.issuing.hsm)))
    for line in _lines(planned):
        click.echo(line)
    if waivers:
        click.echo(say(Phrase.plural("{count} waiver", "{count} waivers", count=len(waivers))))
        for expired in waivers.expired():
            click.echo(f"  {visible(say(expired))}")


def _lines(planned: Sequence[Planned]) -> Iterator[str]:
    """The scenarios that do not run, by reason, then those that run, and the counts."""
    reasons: dict[str, list[Planned]] = {}
    for each in planned:
        reasons.setdefault(say(each.reason), []).append(each)
    running = reasons.pop("", [])
    for reason, found in sorted(reasons.items(), key=lambda each: -len(each[1])):
        yield f"{reason}: {len(found)}"
        yield from (f"  {visible(say(each.scenario.label))}" for each in found)
    yield _("to run: {count}", count=len(running))
    for each in running:
        marks = [_("a new card")] if each.decision and each.decision.fresh else []
        marks += [_("a removal replaces the power cut")] if each.removes else []
        yield f"  {visible(say(each.scenario.label))}" + (f"  ({', '.join(marks)})" if marks else "")
    count = Phrase.plural("{count} scenario", "{count} scenarios", count=len(planned))
    yield _("{scenarios}, {running} to run", scenarios=count, running=len(running))


@testbed.command("schema")
@option("--waivers", is_flag=True, help=N_("Print the schema of waiver files."))
def schema(waivers: bool) -> None:
    """Print the JSON Schema of testbed files or waiver files, for completion in an editor."""
    import json

    from sscard.scenario.testbed.file import testbed_schema
    from sscard.scenario.waivers import waiver_schema

    found = waiver_schema() if waivers else testbed_schema()
    click.echo(json.dumps(found, ensure_ascii=False, indent=1))


def read(file: Path) -> Testbed | OwnCards:
    """The testbed of a file, its HSM asked once. Errors: ``InputError``."""
    from sscard.scenario.testbed.file import read_testbed

    found = read_testbed(file)
    issuing = found.issuing
    asked = chosen_issuing(issuing.hsm, issuing.keys, issuing.token_file, only_hsm=issuing.only_hsm)
    return replace(found, issuing=asked)


def under_test(
    card: str, file: Path | None, personality: str, issuing: Callable[[], Issuing], reports: Sequence[str]
) -> Testbed | OwnCards:
    """What --card or --testbed places, else sscard's own cards; its options and ``reports`` must fit the others."""
    from sscard.scenario.issuing import OwnCards

    if file is not None:
        exclude("--testbed", ("--card", "--hsm", "--hsm-token", "--keys"))
        found = read(file)
        if isinstance(found, OwnCards):
            return found
        exclude("--testbed", (*EXCLUDED, "--personality"))
        about = [f"--report {report}" for report in reports if report.startswith("form=")]
        about += [name for name in ("--coverage",) if name in given_names()]
        for name in about if found.claimed is None else ():
            problem = _(
                "{option} is for social security cards, and the card of the testbed claims nothing", option=name
            )
            raise InputError(problem, remedy=_("name the vendor's claim with personality: under card:"))
        return _learned(found)
    if not card:
        return OwnCards(issuing())
    exclude("--card", EXCLUDED)
    from sscard.issuer import find_personality
    from sscard.issuer.issue import DEFAULT
    from sscard.scenario.testbed.file import CardUnderTest, Testbed
    from sscard.terminal.cards import scheme_of

    scheme_of(card)
    claim = find_personality(personality or DEFAULT)
    return Testbed(CardUnderTest(use=card), claim, issuing())


def _learned(chosen: Testbed) -> Testbed:
    """The testbed with what its card shows of the choices that its claim leaves open."""
    from sscard.scenario.testbed.claim import learned

    if not chosen.unknown:
        return chosen
    with hsm_refusals(), chosen.issuing.open() as issuer:
        return learned(chosen, issuer, ask_at_reader)


@contextmanager
def card_link(chosen: Testbed, tell_facts: Callable[[Mapping[str, Sayable]], object]) -> Iterator[Link]:
    """The card of a testbed as scenarios are run on it; ``tell_facts`` gets what a report says about it."""
    from sscard.scenario.testbed.unclaimed import opened_card
    from sscard.scenario.transports import Link

    with chosen.open() as issuer, opened_card(chosen, issuer, ask_at_reader) as card:
        tell_facts(card.facts())
        yield Link(card.run)


def ordered(chosen: Testbed, scenarios: list[Scenario], seed: int) -> list[Scenario]:
    """The scenarios, those that may destroy the card last."""
    from sscard.scenario.testbed.plan import destroying

    with hsm_refusals():
        last = {id(each) for each in destroying(scenarios, seed, chosen)}
    return sorted(scenarios, key=lambda each: id(each) in last)


def no_new_card(said: Sayable) -> NoReturn:
    """Refuse to ask a person, where there is no terminal. Errors: ``MissingPart``, always."""
    raise MissingPart(
        _("standard input is not a terminal: {prompt}", prompt=say(said)),
        _("name a command with fresh: in the testbed file"),
    )


def ask_at_reader(said: Sayable) -> None:
    """Ask a person to do something at the reader. Errors: ``MissingPart`` without a terminal."""
    if not sys.stdin.isatty():
        no_new_card(said)
    click.echo(_("{prompt}, then press Enter", prompt=say(said)), err=True)
    sys.stdin.readline()
