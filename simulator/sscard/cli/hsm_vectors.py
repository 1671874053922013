"""``sscard hsm vectors|check``: test vectors of an HSM, and an HSM that is asked them."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sscard.cli.chosen import chosen_hsm
from sscard.cli.options import hsm_token_option, json_option
from sscard.cli.output import print_json
from sscard.cli.types import FILE, HSM, SECONDS, Text
from sscard.cli.usage import argument, command, option
from sscard.errors import InputError, MissingPart
from sscard.i18n.language import N_, _, ranges, say, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sscard.hsm.check import HsmCheck, Outcome
    from sscard.hsm.vectors import Vector
    from sscard.issuer.hierarchy import KeyHierarchy

roots_option = option(
    "--keys", type=FILE, help=N_("Key file with the roots of the vectors. Default: the built-in test keys.")
)


@command("vectors")
@roots_option
@json_option
def vectors(keys: Path | None, as_json: bool) -> None:
    """Print test vectors: questions to an HSM with their right answers.

    The vectors of the built-in test keys also have the keys of the
    diversification and session keys. Those of a key file contain no key. With
    --json the input of each vector is the body of a request to sscard hsm
    serve.
    """
    from sscard.hsm.vectors import REASONS, VERSION

    roots = _roots(keys)
    made = _vectors(roots)
    if as_json:
        print_json(
            "hsm-vectors",
            {"version": VERSION, "keys": roots.name, "vectors": [vector.to_facts() for vector in made]},
        )
        return
    click.echo(_("vectors of {keys}, version {version}", keys=roots.name, version=VERSION))
    for vector in made:
        facts = vector.to_facts()
        given = " ".join(f"{name}={'-' if value is None else value}" for name, value in facts["input"].items())
        answer = _("refused: {reason}", reason=REASONS[vector.refused]) if vector.refused else facts["result"]
        click.echo(f"{vector.id} {vector.asked.operation}\n  {given}\n  {answer}")


@command("check")
@argument("url", type=HSM, help=N_("HSM: soft:[FILE], http://HOST:PORT, pkcs11:token=LABEL, or the URL of a plug-in."))
@roots_option
@hsm_token_option
@option(
    "--without",
    type=Text(N_("GROUP")),
    multiple=True,
    help=N_("Leave out what the HSM does not offer: sm4, 3des/proof, address."),
)
@option("--patience", type=SECONDS, default=2.0, help=N_("Seconds after which an answer is late."))
@json_option
def check(
    url: str, keys: Path | None, hsm_token: Path | None, without: tuple[str, ...], patience: float, as_json: bool
) -> None:
    """Ask the HSM at URL every test vector, and report which answers are wrong and why.

    Each wrong answer is compared with known mistakes: padding, factors, halves
    of a MAC, another root, another order of the diversification. Questions that
    the HSM has to refuse are asked too. No card is needed, and the HSM is not
    changed: all operations are computations.

    Exits 1 if an answer is wrong, late or refused, 3 if the HSM cannot be
    reached or ends before the last question.
    """
    from sscard.hsm.check import HsmCheck
    from sscard.hsm.protocol import HsmUnavailable

    roots = _roots(keys)
    asked = _selected(_vectors(roots), without)
    with chosen_hsm(url, None, hsm_token) as hsm:
        checked = HsmCheck(hsm, asked, roots, patience=patience, addresses="address" not in without)
        try:
            checked.run()
        except HsmUnavailable as gone:
            _report(checked, url, roots, as_json=as_json)
            ended = _(
                "the HSM ended at {name}, after {count} of {whole} questions: {reason}",
                name=checked.asking,
                count=len(checked.outcomes),
                whole=checked.questions,
                reason=gone.said,
            )
            raise MissingPart(ended, gone.remedy) from None
        except KeyboardInterrupt:
            _report(checked, url, roots, as_json=as_json)
            raise
    if _report(checked, url, roots, as_json=as_json):
        raise SystemExit(1)


def _roots(keys: Path | None) -> KeyHierarchy:
    from sscard.issuer.hierarchy import builtin_keys
    from sscard.issuer.lookup import load_keys

    return load_keys(keys) if keys else builtin_keys()


def _vectors(roots: KeyHierarchy) -> list[Vector]:
    """The vectors of a key file; ``InputError`` if it has no key that they need."""
    from sscard.hsm.vectors import make_vectors

    made = make_vectors(roots)
    if not made:
        raise InputError(
            _("the key file {name!r} holds no key that a vector needs", name=roots.name),
            remedy=_("add the roots PUK and STK, as in sscard's own test-keys.yaml"),
        )
    return made


def _selected(vectors: list[Vector], without: tuple[str, ...]) -> list[Vector]:
    asked = [vector for vector in vectors if vector.for_hsm]
    known = {"address", *(vector.group for vector in asked), *(vector.group.partition("/")[0] for vector in asked)}
    for group in without:
        if group not in known:
            raise InputError(
                _("--without: no group {name!r}", name=group),
                remedy=_("expected one of: {words}", words=", ".join(sorted(known))),
            )
    left = [vector for vector in asked if not {vector.group, vector.group.partition("/")[0]} & set(without)]
    if not any(not vector.refused for vector in left):
        raise InputError(_("--without leaves no vector with an answer"), remedy=_("leave out fewer groups"))
    return left


def _report(checked: HsmCheck, url: str, roots: KeyHierarchy, *, as_json: bool) -> list[Outcome]:
    """Print what was answered so far, and return what is wrong with it."""
    from sscard.hsm.registry import HSMS
    from sscard.hsm.vectors import VERSION
    from sscard.issuer.hierarchy import builtin_keys

    hsm = HSMS.shown(url)
    findings = checked.findings()
    slowest = max(checked.outcomes.values(), key=lambda outcome: outcome.seconds, default=None)
    groups = [(name, list(outcomes)) for name, outcomes in groupby(checked.outcomes.values(), lambda each: each.group)]
    if as_json:
        facts = {
            "hsm": hsm,
            "keys": roots.name,
            "version": VERSION,
            "questions": checked.questions,
            "asked": len(checked.outcomes),
            "roots_differ": checked.roots_differ(findings),
            "slowest": slowest and {"id": slowest.id, "seconds": round(slowest.seconds, 3)},
            "groups": [{"group": name, "right": _right(each), "asked": len(each)} for name, each in groups],
            "findings": [_facts(checked, finding, published=roots is builtin_keys()) for finding in findings],
        }
        print_json("hsm-check", facts)
        return findings
    click.echo(_("HSM {hsm}, vectors of {keys}, version {version}", hsm=hsm, keys=roots.name, version=VERSION))
    for name, outcomes in groups:
        right = _("{right} of {count} right", right=_right(outcomes), count=len(outcomes))
        click.echo(f"{name}: {right}")
        for line in _lines([finding for finding in findings if finding.group == name]):
            click.echo(f"  {visible(line)}")
        if all(outcome.status == "refused" for outcome in outcomes):
            click.echo("  " + _("if the HSM does not offer this, leave it out: --without {group}", group=name))
    if slowest:
        click.echo(_("slowest answer: {seconds:.3f} s, {name}", seconds=slowest.seconds, name=slowest.id))
    if checked.roots_differ(findings):
        click.echo(
            _(
                "The HSM has other root keys than {keys}. Give the key file of its roots with --keys FILE, or load the "
                "test keys: sscard hsm load --module LIBRARY",
                keys=roots.name,
            )
        )
    return findings


def _right(outcomes: list[Outcome]) -> int:
    return sum(outcome.status == "right" for outcome in outcomes)


def _lines(findings: list[Outcome]) -> Iterator[str]:
    """Findings of one group, a line for each text: the numbers of the vectors, then what is wrong."""
    texts: dict[str, list[str]] = {}
    for finding in findings:
        texts.setdefault(say(finding.said), []).append(finding.id)
    for text, ids in texts.items():
        stems = groupby((name.rpartition("/")[::2] for name in ids), lambda each: each[0])
        named = ", ".join(
            f"{stem}/{ranges((int(number) for _stem, number in numbers), '-', ',')}" for stem, numbers in stems
        )
        yield f"{named}: {text}"


def _facts(checked: HsmCheck, finding: Outcome, *, published: bool) -> dict[str, Any]:
    """A finding; what the HSM answered only under the test keys, because a wrong answer may contain a key."""
    facts = {"id": finding.id, "status": finding.status.value, "mistake": finding.mistake, "said": say(finding.said)}
    if published and finding.id in checked.vectors:
        facts |= {"expected": checked.vectors[finding.id].result.hex().upper(), "given": finding.given.hex().upper()}
    return facts
