"""The verbs of the driver: what a step states is compared, and what a file may not state is refused with its place."""

from __future__ import annotations

import pytest

from sscard.errors import InputError
from sscard.i18n.language import say
from sscard.scenario import run_scenario

HEAD = "name: a\nproves: b\nsteps:\n"
ALL = "card: {personality: [v3-sm4, v2-3des, v1-des]}"
GROUP = "  - driver: {call: iReloadPIN_HSM_Step1}\n"
KILLED = "  - fault: {killed: before-command, ins: 20}\n  - driver_verify_pin: {}\n    entries: [111111]\n"


def missed(result):
    """The fields of the unmet expectations."""
    return [one.field for one in result.failure.mismatches] if result.failure else []


@pytest.mark.parametrize(
    ("steps", "fields"),
    [
        ("  - driver_verify_pin: {}\n    entries: 123456", []),
        ("  - driver_verify_pin: {}\n    entries: 123457", ["code", "tries"]),
        ("  - driver_verify_pin: {}\n    entries: 123457\n    code: -51\n    tries: 5", []),
        ("  - driver_verify_pin: {}\n    entries: 123457\n    code: -51\n    tries: 5\n    error: 密码错误", ["error"]),
        ("  - driver_verify_pin: {}\n    entries: [123456, 123456]", ["entries"]),
        ("  - driver_verify_pin: {}", ["code", "entries"]),
        ("  - driver_verify_pin: {}\n    entries: cancelled\n    code: -31", []),
        ("  - driver_verify_pin: {}\n    entries: timed-out\n    code: −32", []),
        ("  - driver_verify_pin: {}\n    entries: 123456\n    prompts: 请输入密码", []),
        ("  - driver_verify_pin: {}\n    entries: 123456\n    prompts: 请输入原密码", ["prompts"]),
        ("  - driver_verify_pin: {reader: contactless}\n    code: -2\n    error: 无卡", []),
        ("  - driver_read: {files: DF01EF05|0E|$}\n    entries: 123456\n    out: DF01EF05|410402|$", []),
        ("  - driver_read: {files: DF01EF05|0E|$}\n    entries: 123456\n    out: DF01EF05|*|$", []),
        ("  - driver_read: {files: DF01EF05|0E|20|$}\n    entries: 123456\n    out: DF01EF05|*|$", ["out"]),
        ("  - driver_reset_pin: {by: hsm}\n    entries: [654321, 654322]\n    code: -34", []),
        ("  - driver_reset_pin: {by: hsm, wrong_step: 3}\n    entries: [654321, 654321]\n    code: -27016", []),
        ("  - driver_unblock_pin: {card: other}\n    code: -22", []),
        ("  - driver_unblock_pin: {card: text}\n    code: -14", []),
        (
            GROUP + "  - driver: {call: iReloadPIN_HSM_Step2, parameters: {pKey: wrong}}\n    code: -25538\n"
            "    key_tries: {PUK: 2}",
            [],
        ),
        ("  - fault: {hsm_down: }\n  - driver_unblock_pin: {by: hsm}\n    host: fails", []),
        ("  - fault: {hsm_down: }\n  - driver_unblock_pin: {by: hsm}", ["code", "host"]),
        (
            "  - fault: {hsm_down: }\n  - driver_unblock_pin: {by: hsm}\n    host: fails\n    prompts: never",
            ["prompts"],
        ),
        ("  - driver_unblock_pin: {by: hsm}\n    host: fails", ["host"]),
        (
            "  - fault: {hsm_wrong_key: }\n  - driver_unblock_pin: {by: hsm}\n    code: -25538\n"
            "    key_tries: {PUK: 2}",
            [],
        ),
        (GROUP + "    state: ready", ["state"]),
        ("  - driver: {call: iReloadPIN_HSM_Step2}", ["driver"]),
        ("  - driver_options: {readers: [contactless]}\n  - driver_verify_pin: {reader: contact}\n    code: -12", []),
        (KILLED + "    sw: none\n  - driver_verify_pin: {}\n    entries: [123456]", []),
        (KILLED + "    code: -1", ["sw", "code"]),
        ("  - driver_verify_pin: {}\n    entries: [123456]\n    sw: none", ["sw"]),
        ("  - driver_options: {place: tries-3}\n  - driver_change_pin: {}\n    entries: [123456, 654321, 654321]", []),
    ],
)
def test_a_step_compares_what_the_driver_returned(run, steps, fields):
    assert missed(run(steps)) == fields


def test_a_pin_in_pOutInfo_is_masked(run):  # noqa: N802 - the name of the parameter
    result = run(
        GROUP + "  - driver: {call: iReloadPIN_HSM_Step2}\n    entries: [98765432, 98765432]\n"
        '    state: challenge PUK\n    out: "03|*|*|8424000114|98765432|"'
    )
    assert missed(result) == ["out"]
    assert "98765432" not in say(result.failure.mismatches[0].actual)


@pytest.mark.parametrize(
    ("steps", "line", "column", "problem", "remedy"),
    [
        ("  - driver: {call: iReadBas}\n", 4, 14, "iReadBas", "iReadCardBas"),
        ("  - driver: {call: iReadCard, parameters: {iTyp: 1}}\n", 4, 5, "iTyp", "iType"),
        ("  - driver: {call: iReadCard, parameters: {iType: x}}\n", 4, 5, "iType is a number", "digits"),
        ("  - driver: {call: iReadCard}\n", 4, 5, "iReadCard needs the parameter pFileAddr", "parameters"),
        ("  - driver_verify_pin: {}\n    code: minus\n", 5, 5, "minus", ""),
        ("  - driver_verify_pin: {}\n    code: 51\n", 5, 5, "0", ""),
        ("  - driver_verify_pin: {reader: any}\n", 4, 25, "'contact'", ""),
        ("  - driver_unblock_pin: {wrong_step: 2}\n", 4, 5, "no steps", "by: hsm"),
        ("  - driver_unblock_pin: {by: hsm, wrong_step: 4}\n", 4, 35, "3", ""),
        ("  - driver_purchase: {total: 12}\n", 4, 23, "amount", "12.34"),
        ("  - driver_purchase: {total: 12.34, time: noon}\n", 4, 37, "time", "YYYYMMDDhhmmss"),
        ("  - driver_options: {place: nowhere}\n", 4, 22, "nowhere", "tries-6"),
        ("  - driver_options: {errors: mine}\n", 4, 22, "'standard'", ""),
    ],
)
def test_what_a_file_may_not_state(read, steps, line, column, problem, remedy):
    with pytest.raises(InputError) as caught:
        read(HEAD + steps)
    error = caught.value
    assert (error.line, error.column) == (line, column), say(error.problem)
    assert problem in say(error.problem)
    assert remedy in say(error.remedy)


def test_no_entry_of_the_pad_is_shown(read):
    [scenario] = read(
        HEAD + "  - driver_verify_pin: {}\n    entries: 98765432\n"
        "  - driver: {call: iVerifyPIN, parameters: {pin: 98765432}}\n"
    )
    assert "98765432" not in repr(scenario.steps) + " ".join(str(step.title()) for step in scenario.steps)


def test_a_place_policy_is_a_file_beside_the_scenario(read, tmp_path):
    place = tmp_path / "sub" / "own.yaml"
    place.parent.mkdir()
    place.write_text("name: own\npin_tries: 3\ninitial_pin: 123456\n", encoding="utf-8")
    steps = "  - driver_options: {place: sub/own.yaml, device_number: %s}\n"
    sweep = (
        "  - cut_power:\n      point: every\n      first: [driver_options: {place: sub/own.yaml}]\n"
        "      steps: [{verify_pin: 111111, sw: 63C5, tries: 5}]\n      after: {any: [insert: ]}\n"
    )
    capture = "  - get_challenge: 8\n    data: ...\n    state: challenge\n    capture: {number: sw}\n"
    for text in (steps % "1", capture + steps % "'${number}'", sweep):
        [scenario] = read(HEAD + text)
        assert scenario.files == (place,)
        assert run_scenario(scenario).failure is None
