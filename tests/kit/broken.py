"""Scenario files that are wrong: where, what the error says, and its remedy."""

from __future__ import annotations

HEAD = "name: a\nproves: b\n"
STEPS = f"{HEAD}steps:\n"
GROUP = """groups:
  wrong:
    parameters: [pin]
    steps:
      - verify_pin: ${pin}
        sw: 63C(max - 1)
        tries: max - 1
"""

STRUCTURE = {
    "unknown field of a step": (f"{STEPS}  - verify_pin: 123456\n    trys: 5\n", 5, 5, "'trys'", "'tries'"),
    "unknown field of a scenario": ("name: a\nprooves: b\nsteps: []\n", 2, 1, "'prooves'", "'proves'"),
    "unknown field of a card": (f"{HEAD}card:\n  pins: 1\nsteps: [x]\n", 4, 3, "'pins'", "'pin'"),
    "unknown field of an argument": (f"{STEPS}  - change_pin: {{odl: 1}}\n", 4, 18, "'odl'", "'old'"),
    "unknown verb": (f"{STEPS}  - verify_pn: 123456\n", 4, 5, "'verify_pn'", "'verify_pin'"),
    "two verbs": (f"{STEPS}  - reset:\n    insert:\n", 5, 5, "reset, insert", "a separate step for each"),
    "no verb": (f"{STEPS}  - sw: 9000\n", 4, 5, "without a verb", "verify_pin"),
    "a value for a verb that takes none": (f"{STEPS}  - insert: now\n", 4, 5, "takes no value", "colon only"),
    "no steps": (f"{HEAD}steps: []\n", 3, 1, "at least 1", ""),
    "a field missing": ("name: a\nsteps: [x]\n", 1, 1, "'proves' is missing", "proves:"),
    "an argument missing": (f"{STEPS}  - change_pin: {{old: 123456}}\n", 4, 5, "change_pin.new", "new:"),
    "a duplicate key": (f"{STEPS}  - reset:\n    sw: 9000\n    sw: 6982\n", 6, 5, "'sw' is given twice", "keep one"),
    "a hex digit that is none": (f"{STEPS}  - apdu: 00 20 0G\n", 4, 5, "position 6", "pairs of hex"),
    "an odd hex digit": (f"{STEPS}  - apdu: 00 2\n", 4, 5, "3 hex digits", "pairs of hex"),
    "a status word too short": (f"{STEPS}  - reset:\n    sw: 63\n", 5, 5, "status word", "63C5"),
    "a status word in letters": (f"{STEPS}  - reset:\n    sw: 63CX\n", 5, 5, "position 4", "hex"),
    "data that is no pattern": (f"{STEPS}  - reset:\n    data: 3B ?\n", 5, 5, "data", "hex"),
    "tries in words": (f"{STEPS}  - reset:\n    tries: six\n", 5, 5, "integer", ""),
    "an unknown state": (f"{STEPS}  - reset:\n    state: verifed\n", 5, 5, "'verifed'", "'verified'"),
    "ready and not": (f"{STEPS}  - reset:\n    state: [ready, verified]\n", 5, 5, "not a state", "ready alone"),
    "an unknown key": (f"{STEPS}  - authenticate: {{key: PUKK}}\n", 4, 20, "'PUKK'", "'PUK'"),
    "text for fields": (f"{STEPS}  - authenticate: PUK\n", 4, 5, "fields expected", "key"),
    "an unknown reason": (
        f"{STEPS}  - apply: {{reason: lost}}\n",
        4,
        13,
        "'leaked', 'forgotten', 'locked' or 'locked-known'",
        "",
    ),
    "an unknown personality": (f"{HEAD}card: {{personality: v3-sm5}}\nsteps:\n  - reset:\n", 3, 8, "v3-sm5", "v3-sm4"),
    "an unknown choice": (
        f"{HEAD}card:\n  choices:\n    pin_trys: 3\nsteps:\n  - reset:\n",
        5,
        5,
        "pin_trys",
        "pin_tries",
    ),
    "a choice out of range": (f"{HEAD}card:\n  choices:\n    pin_tries: 99\nsteps:\n  - reset:\n", 5, 5, "15", ""),
    "too many tries left": (f"{HEAD}card:\n  tries_left: 7\nsteps:\n  - reset:\n", 4, 3, "limit", "0 to 6"),
    "a false ID number": (
        f"{HEAD}card:\n  holder:\n    name: 试\n    id_number: 1\nsteps:\n  - reset:\n",
        6,
        5,
        "identity number",
        "GB 11643",
    ),
    "a name the card cannot hold": (
        f"{HEAD}card:\n  holder:\n    name: 😀\n    id_number: 1\nsteps:\n  - reset:\n",
        5,
        5,
        "does not fit",
        "GBK",
    ),
    "a name with a tab": (
        f'{HEAD}card:\n  holder:\n    name: "A\\tB"\n    id_number: 1\nsteps:\n  - reset:\n',
        5,
        5,
        "control characters",
        "without line breaks",
    ),
    "a step that is no mapping": (f"{STEPS}  - insert\n", 4, 5, "colon", "insert:"),
    "text for the card": (f"{HEAD}card: v3-sm4\nsteps:\n  - reset:\n", 3, 1, "card: fields expected", "personality"),
    "an empty service": (f"{HEAD}service:\nsteps:\n  - reset:\n", 3, 1, "service: fields expected", "journal"),
    "a list for the service": (f"{HEAD}service: [a]\nsteps:\n  - reset:\n", 3, 1, "service: fields expected", "clock"),
    "a list of variables": (f"{HEAD}variables: [a]\nsteps:\n  - reset:\n", 3, 1, "not variables", "{pin: 123456}"),
    "no personality": (f"{HEAD}card: {{personality: []}}\nsteps:\n  - reset:\n", 3, 8, "at least 1", "add an entry"),
    "every point without steps": (
        f"{STEPS}  - cut_power: {{point: every}}\n",
        4,
        5,
        "needs the operation",
        "after: {old: […], new: […]}",
    ),
    "a certificate PIN without its application": (
        f"{HEAD}card: {{personality: v2-3des, certificate_tries: 5 6}}\nsteps:\n  - reset:\n",
        3,
        30,
        "no certificate application",
        "certificate_application: stub to choices:",
    ),
    "a list of scenarios": ("- name: a\n", 1, 1, "not a scenario", "left margin"),
    "plain text": ("just text\n", 1, 1, "not a scenario", "left margin"),
    "not YAML": (f"{STEPS}  - [x\n", 5, 1, "not valid YAML", ""),
    "an open quote": ("name: a\nproves: 'b\nsteps:\n  - reset:\n", 2, 9, "a quote is not closed", "second quote"),
    "an open double quote": (f'{STEPS}  - reset:\n    note: "b\n  - insert:\n', 5, 11, "not closed", "second quote"),
    "an empty file": ("", 1, 1, "is empty", ""),
    "a file that refers to itself": ("name: &a [*a]\n", 1, 11, "refers to itself", "aliases"),
}
"""Text, line, column, a part of the problem, a part of the remedy; line 0 for the whole file."""

EXPANSION = {
    "an unknown variable": ("variables: {pin: 123456}\nsteps:\n  - verify_pin: ${pim}\n", 5, "'pim'", "'pin'"),
    "a variable captured later": (
        "steps:\n  - apdu: ${rnd}\n  - get_challenge: 8\n    state: challenge\n    capture: {rnd: data}\n",
        4,
        "'rnd'",
        "variables",
    ),
    "an unknown name in an expression": ("steps:\n  - reset:\n    tries: maxi - 1\n", 5, "'maxi'", "'max'"),
    "an expression below zero": ("steps:\n  - reset:\n    tries: max - 7\n", 5, "greater than or equal to 0", ""),
    "a call in an expression": ("steps:\n  - reset:\n    tries: open(1)\n", 5, "no expression", "max - 1"),
    "a status word of 16 tries": ("steps:\n  - reset:\n    sw: 63C(max + 10)\n", 5, "not 16", ""),
    "no rows": ("with: []\nsteps:\n  - reset:\n", 3, "no rows", "list of rows"),
    "rows with other fields": ("with: [{a: 1}, {b: 1}]\nsteps:\n  - reset:\n", 3, "first row", "same fields"),
    "a table of another kind": ("with: rows.xlsx\nsteps:\n  - reset:\n", 3, "no table", ".csv"),
    "a field of the table that is a variable": (
        "variables: {a: 1}\nwith: [{a: 1}]\nsteps:\n  - reset:\n",
        3,
        "'a' is a field",
        "rename",
    ),
    "an unknown group": (f"{GROUP}steps:\n  - use: wong\n", 11, "'wong'", "'wrong'"),
    "a group without its parameter": (f"{GROUP}steps:\n  - use: wrong\n", 11, "needs the parameter 'pin'", "pin: …"),
    "an unknown parameter": (
        f"{GROUP}steps:\n  - use: wrong\n    with: {{pin: 1234, pim: 1}}\n",
        12,
        "'pim'",
        "'pin'",
    ),
    "an expectation at a group": (f"{GROUP}steps:\n  - use: wrong\n    sw: 9000\n", 12, "'sw'", "steps of the group"),
    "a group that uses itself": ("groups: {a: {steps: [{use: a}]}}\nsteps:\n  - use: a\n", 3, "uses itself", ""),
    "a capture of no value": (
        "steps:\n  - reset:\n    capture: {a: 'data[x]'}\n",
        5,
        "nothing to capture",
        "data[0:8]",
    ),
    "a capture of a part of a status word": (
        "steps:\n  - reset:\n    capture: {a: 'sw[1:2]'}\n",
        5,
        "nothing to capture",
        "data[0:8]",
    ),
    "a placeholder of no captured name": (
        "steps:\n  - get_challenge: 8\n    state: challenge\n    capture: {rnd: data}\n"
        "  - reset:\n    note: ${rnd} ${rdn}\n",
        8,
        "'rdn'",
        "'rnd'",
    ),
    "a placeholder in a value beside a captured one": (
        "variables: {a: '${b}'}\nsteps:\n  - get_challenge: 8\n    state: challenge\n    capture: {rnd: data}\n"
        "  - reset:\n    note: ${rnd} ${a}\n",
        9,
        "'b'",
        "expected one of: rnd",
    ),
    "two rows of one name": (
        "with: [{row: a, n: 1}, {row: {en: a, zh: b}, n: 2}]\nsteps:\n  - reset:\n",
        3,
        "row a is named twice",
        "rename",
    ),
    "a row that is named by its PIN": (
        "with: [{row: '7391', pin: 7391}]\nsteps:\n  - verify_pin: ${pin}\n",
        3,
        "row: a PIN of the scenario",
        "the birth date",
    ),
    "a need of no interface": ("needs: {interface: []}\nsteps:\n  - reset:\n", 3, "a value expected", "leave"),
    "a need of no generation": ("needs: {generation: []}\nsteps:\n  - reset:\n", 3, "a value expected", "leave"),
    "a capture without a name": ("steps:\n  - reset:\n    capture: {1a: data}\n", 5, "not a name", "letters"),
    "a time without a unit": ("steps:\n  - reset:\n    within: 200\n", 5, "not a time", "200 ms"),
    "an unknown need": ("needs: {pin_trys: 3}\nsteps:\n  - reset:\n", 3, "'pin_trys'", "'pin_tries'"),
    "a need without a value": ("needs: {pin_tries: 90-95}\nsteps:\n  - reset:\n", 3, "no value of the choice", ""),
    "a need of an unknown key": ("needs: {keys: PUKK}\nsteps:\n  - reset:\n", 3, "'PUKK'", "'PUK'"),
    "a need that the card has not": ("needs: {generation: 1.0}\nsteps:\n  - reset:\n", 3, "needs generation", "needs:"),
    "an unknown severity": ("severity: high\nsteps:\n  - reset:\n", 3, "'critical'", ""),
    "an unknown mark": ("covers: [OC-1, LD/T 6001.3 7.9]\nsteps:\n  - reset:\n", 3, "'LD/T 6001.3 7.9'", "LD/T 6001.3"),
    "a name in one language": ("needs: {}\nsteps:\n  - reset:\n", 1, "not a text", "{en: …, zh: …}"),
}
"""What follows the name and the purpose of a scenario, line, a part of the problem, a part of the remedy."""
ONE_LANGUAGE = "name: {en: a}\nproves: b\n"
"""The head of the scenario whose name has one language."""


def expanded(name: str) -> str:
    """The text of an entry of ``EXPANSION``."""
    return (ONE_LANGUAGE if name == "a name in one language" else HEAD) + EXPANSION[name][0]
