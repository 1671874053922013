"""The rule that decides a card's algorithm (terminal-flows.md §1.3), row by row."""

from __future__ import annotations

import pytest

from sscard.standard.cipher import DES, SM4, SSF33_ID, SUITES
from sscard.standard.suite import UnknownAlgorithmId, algorithm_of, block_of

NAME = "840F7378312E73682EC9E7BBE1B1A3D5CF"
WITHOUT = [f"6F11{NAME}", f"6F16{NAME}A50388010B", f"6F15{NAME}A5029F0C", ""]
"""FCIs that name no algorithm: no tag, DIR alone as on 1.0 cards, a tag cut short, none at all."""


@pytest.mark.parametrize("city", ["510100", "110100", "119999"])
@pytest.mark.parametrize(("named", "algorithm"), [("01", DES.algorithm_id), ("02", SSF33_ID), ("03", SM4.algorithm_id)])
@pytest.mark.parametrize("directory", ["", "88011E"])
def test_tag_86_names_the_algorithm_in_any_city(named: str, algorithm: int, directory: str, city: str) -> None:
    inner = f"{directory}9F0C038601{named}"
    fci = f"6F{19 + len(directory) // 2 + 4:02X}{NAME}A5{len(inner) // 2:02X}{inner}"
    assert algorithm_of(bytes.fromhex(fci), city) == algorithm


@pytest.mark.parametrize("fci", WITHOUT)
@pytest.mark.parametrize(
    ("city", "algorithm"),
    [
        ("110100", SSF33_ID),
        ("119999", SSF33_ID),
        ("120100", DES.algorithm_id),
        ("211100", DES.algorithm_id),
        ("510100", DES.algorithm_id),
        ("", DES.algorithm_id),
    ],
)
def test_without_the_tag_city_11_is_ssf33_and_any_other_des(fci: str, city: str, algorithm: int) -> None:
    assert algorithm_of(bytes.fromhex(fci), city) == algorithm


@pytest.mark.parametrize("city", ["510100", "110100"])
@pytest.mark.parametrize("named", ["00", "04", "07", "FF"])
def test_any_other_id_is_an_error_and_never_a_default(named: str, city: str) -> None:
    with pytest.raises(UnknownAlgorithmId) as refused:
        algorithm_of(bytes.fromhex(f"6F19{NAME}A5069F0C038601{named}"), city)
    assert refused.value.algorithm == int(named, 16)


@pytest.mark.parametrize("city", ["510100", "110100"])
@pytest.mark.parametrize("inner", ["9F0C028600", "9F0C0486020303", "9F0C028601", "9F0C06870100860107"])
def test_an_id_of_another_form_is_an_error_and_never_a_default(inner: str, city: str) -> None:
    with pytest.raises(UnknownAlgorithmId):
        algorithm_of(bytes.fromhex(f"6F15{NAME}A505{inner}"), city)


def test_the_algorithm_may_follow_other_issuer_data() -> None:
    assert algorithm_of(bytes.fromhex(f"6F1C{NAME}A5099F0C06870100860103"), "510100") == SM4.algorithm_id


def test_a_block_has_the_bytes_of_the_suite() -> None:
    for algorithm, suite in SUITES.items():
        assert block_of(algorithm) == suite.block
    assert block_of(SSF33_ID) == 16
