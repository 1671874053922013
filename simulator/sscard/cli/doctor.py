"""``sscard doctor``: what PC/SC needs, what of it is here, and the command that installs the rest."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, NamedTuple

import click

from sscard.cli.insert import OPEN_TO_ALL, PORTS, START_DAEMON
from sscard.cli.options import json_option
from sscard.cli.output import print_json
from sscard.cli.usage import command
from sscard.errors import MissingPart
from sscard.i18n.language import N_, _, padded, say, visible

MISSING: Final = 3
HERE, ABSENT, ASIDE = "✓", "✗", "–"
STATES: Final = {HERE: "present", ABSENT: "missing", ASIDE: "optional"}
WIDTH: Final = 20
PYSCARD: Final = N_("pip install 'sscard[pcsc]'   (it builds: sudo apt-get install gcc python3-dev libpcsclite-dev)")
CLIENTS: Final = {
    "opensc-tool": "opensc",
    "scriptor": "pcsc-tools",
    "pcsc_scan": "pcsc-tools",
    "vicc": "vsmartcard-vpicc",
}


class Finding(NamedTuple):
    """A part, what was found of it, and the command that brings it; ``mark`` says whether PC/SC is whole without."""

    mark: str
    part: str
    found: str
    remedy: str = ""

    def lines(self) -> Iterator[str]:
        """As it is printed."""
        yield f"{self.mark} {padded(self.part, WIDTH)} {self.found}"
        if self.remedy:
            yield f"  {'':{WIDTH}} {self.remedy}"


@command("doctor")
@json_option
def doctor(as_json: bool) -> None:
    """Check PC/SC, vpcd and Python dependencies and print the install command for anything missing (exit code 3)."""
    findings = [finding for check in CHECKS for finding in check()]
    if as_json:
        complete = all(finding.mark != ABSENT for finding in findings)
        rows = [
            {"part": each.part, "state": STATES[each.mark], "found": each.found, "remedy": each.remedy}
            for each in findings
        ]
        print_json("doctor", {"complete": complete, "findings": rows})
        raise SystemExit(0 if complete else MISSING)
    for finding in findings:
        for line in finding.lines():
            click.echo(visible(line))
    if any(finding.mark == ABSENT for finding in findings):
        click.echo("\n" + _("PC/SC is not whole: what is marked ✗ is missing. In-process everything works without."))
        raise SystemExit(MISSING)
    click.echo("\n" + _("Everything for PC/SC is here."))


def _python() -> Iterator[Finding]:
    from sscard.version import version_and_chip

    system = f"{platform.system()} {platform.release()}"
    yield Finding(HERE, "sscard", f"{say(version_and_chip())}, Python {platform.python_version()}, {system}")


def _pyscard() -> Iterator[Finding]:
    try:
        from smartcard import scard  # noqa: F401
    except ImportError:
        yield Finding(ABSENT, "pyscard", _("not installed"), _(PYSCARD))
        return
    try:
        yield Finding(HERE, "pyscard", version("pyscard"))
    except PackageNotFoundError:
        yield Finding(HERE, "pyscard", _("version unknown"))


def _pcscd() -> Iterator[Finding]:
    from sscard.transport.pcscd import find_pcscd

    try:
        program = find_pcscd()
    except MissingPart as missing:
        yield _missing("pcscd", missing)
        return
    said = _output(str(program), "--version").partition("\n")[0]
    yield Finding(
        HERE, "pcscd", f"{said.removeprefix('pcsc-lite version ').rstrip('.') or _('version unknown')} ({program})"
    )


def _driver() -> Iterator[Finding]:
    from sscard.transport.pcscd import find_driver

    try:
        driver = find_driver()
    except MissingPart as missing:
        yield _missing("vpcd", missing)
        return
    query = "dpkg-query", "--show", "--showformat", "${Version}", "vsmartcard-vpcd"
    yield Finding(HERE, "vpcd", f"{_output(*query) or _('version unknown')} ({driver})")


def _daemons() -> Iterator[Finding]:
    """The system's daemon and a private one: either is enough, though ``insert`` wants the first."""
    from sscard.errors import TransportError
    from sscard.transport.pcsc import cards
    from sscard.transport.pcscd import check_private_pcscd, daemon_answers

    running = daemon_answers()
    try:
        check_private_pcscd()
        private = None
    except MissingPart as missing:
        private = missing
    lack = ASIDE if running or private is None else ABSENT
    if running:
        try:
            found = [f"{name} ({_('a card') if atr else _('empty')})" for name, atr in cards().items()]
            readers = ", ".join(found) or _("no reader")
        except (MissingPart, TransportError) as error:
            readers = str(error).partition("\n")[0]
        yield Finding(HERE, _("PC/SC daemon"), _("answers; {readers}", readers=readers))
    else:
        yield Finding(lack, _("PC/SC daemon"), _("none is running: sscard insert needs one"), _(START_DAEMON))
    if private is None:
        yield Finding(HERE, _("private pcscd"), _("can be had: sscard farm, sscard run --transport pcsc"))
    else:
        yield Finding(lack, _("private pcscd"), say(private.part), say(private.remedy))


def _network() -> Iterator[Finding]:
    from sscard.transport.ports import open_ports

    exposed = sorted(open_ports().intersection(PORTS))
    now = _("; now on {ports}", ports=", ".join(map(str, exposed))) if exposed else ""
    yield Finding(ASIDE, _("network"), _(OPEN_TO_ALL) + now)


def _programs() -> Iterator[Finding]:
    """Programs that tests and examples use; nothing is missing without."""
    for program, package in CLIENTS.items():
        found = shutil.which(program)
        if found is None:
            yield Finding(ASIDE, program, _("not installed"), f"sudo apt-get install {package}")
        else:
            yield Finding(HERE, program, found)


def _missing(part: str, missing: MissingPart) -> Finding:
    return Finding(ABSENT, part, say(missing.part), say(missing.remedy))


def _output(program: str, *arguments: str) -> str:
    """What a program prints, empty where it cannot be run."""
    if shutil.which(program) is None and not Path(program).exists():
        return ""
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, env=environment)  # noqa: S603
    return done.stdout.strip()


CHECKS: Final = (_python, _pyscard, _pcscd, _driver, _daemons, _network, _programs)
