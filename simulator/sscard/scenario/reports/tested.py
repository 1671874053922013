"""What a run tests with, as digests: two runs with equal ones had the same inputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sscard.i18n.language import say
from sscard.i18n.phrase import Sayable
from sscard.issuer import KeyHierarchy, Place
from sscard.scenario.pins import pins_of, without_pins
from sscard.scenario.reader import Scenario
from sscard.standard.cipher import SUITES

OF_TESTBED = ("sscard", "transport", "hsm")
"""Of the environment what the digest of the testbed covers; keys and personalities count by their contents."""


@dataclass(frozen=True, slots=True)
class Tested:
    """SHA-256 digests in hex digits: of each file by its name, of all scenarios of a run, and of its testbed.

    The PINs of scenarios and the initial PINs of places are masked in the files: from a digest they could be found by
    trying.
    ``scenarios`` covers the contents of the files, the titles of the scenarios and the seeds; ``testbed`` the version
    of sscard, transport, URL of the HSM, check values of the root keys, every field of each personality, and a card
    under test. Neither depends on where the files are.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    scenarios: str = ""
    testbed: str = ""


def tested(
    scenarios: Sequence[Scenario],
    seeds: Sequence[int],
    environment: Mapping[str, Sayable],
    keys: KeyHierarchy | None,
    card: Mapping[str, object] | None,
) -> Tested:
    """The digests of a run that begins; ``card`` identifies a card under test."""
    given = [place for each in scenarios for place in (each.card.place, each.service.place)]
    initial = {place.initial_pin for place in given if isinstance(place, Place)}
    pins = initial.union(*map(pins_of, scenarios))
    files: dict[str, str] = {}
    for scenario in scenarios:
        for document in (scenario.document, *(part.document for part in scenario.parts)):
            if document.text and document.source not in files:
                files[document.source] = _sha256(without_pins(document.text, pins).encode())
        for path in scenario.files:
            if str(path) not in files and path.is_file():
                text = path.read_bytes().decode(errors="surrogateescape")
                files[str(path)] = _sha256(without_pins(text, pins).encode(errors="surrogateescape"))
    titles = sorted({scenario.title for scenario in scenarios})
    testbed = {
        "environment": {name: say(environment[name]) for name in OF_TESTBED if name in environment},
        "keys": [
            hierarchy.check_values(suite)
            for hierarchy in (keys, keys and keys.psam_keys)
            if hierarchy
            for suite in SUITES.values()
        ],
        "card": card,
        "personalities": sorted(
            json.dumps(asdict(personality), sort_keys=True) for personality in {each.personality for each in scenarios}
        ),
    }
    return Tested(files, _digest([sorted({*files.values()}), titles, sorted(seeds)]), _digest(testbed))


def _digest(content: Any) -> str:
    return _sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
