"""The population file: what it states, where it is wrong, and that it needs no other file any more."""

import pickle
from importlib import resources
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from jsonschema import Draft202012Validator

from sscard.campaign.population import PARAMETERS, Behaviour, Population, population_schema, read_population
from sscard.errors import InputError
from sscard.i18n.language import speaking

SMALL = """\
products:
  - personality: v3-sm4
places:
  - place: tries-6
behaviours:
  - kind: careful
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "population.yaml"
    path.write_text(dedent(text), encoding="utf-8")
    return path


def test_built_in_population_has_every_behaviour_and_places_with_3_5_6_8_and_10_tries():
    population = read_population()

    assert {each.place.pin_tries for each in population.places} == {3, 5, 6, 8, 10}
    assert {each.kind for each in population.behaviours} == {
        *("careful", "forgetful", "careless", "attacker", "torn terminal", "failing HSM")
    }


def test_reference_states_every_parameter_of_a_behaviour_and_what_each_kind_sets():
    text = (Path(__file__).parents[2] / "docs" / "reference" / "population.md").read_text(encoding="utf-8")
    rows = {cells[1].strip(): cells[2].strip() for line in text.splitlines() if len(cells := line.split("|")) == 4}

    for kind, parameters in PARAMETERS.items():
        assert rows[f"`{kind}`"] == ", ".join(f"`{name}: {value:g}`" for name, value in parameters.items())
    assert {f"`{name}`" for name in Behaviour.model_fields} - {"`kind`", "`share`", "`name`"} <= rows.keys()


def test_population_is_the_same_after_json_and_after_a_pickle():
    population = read_population()

    assert Population.model_validate_json(population.model_dump_json()) == population
    assert pickle.loads(pickle.dumps(population)) == population  # noqa: S301 - made here


def test_own_products_places_and_policy_are_files_beside_the_population_or_stand_in_it(tmp_path):
    (tmp_path / "card.yaml").write_text("name: mine\nbased_on: v2-3des\npuk_once: yes\n", encoding="utf-8")
    (tmp_path / "place.yaml").write_text("name: town\npin_tries: 7\n", encoding="utf-8")
    (tmp_path / "policy.yaml").write_text("based_on: page\nunblock: accept\n", encoding="utf-8")

    population = read_population(
        written(
            tmp_path,
            """\
            products:
              - personality: card.yaml
              - personality: {name: inline, based_on: v1-des, key_tries: 5}
                share: 3
            places:
              - place: place.yaml
              - place: {name: village, pin_tries: 9}
            policy: policy.yaml
            behaviours:
              - {kind: careless, name: hurried, slips: 0.9}
            """,
        )
    )

    mine, inline = population.products
    assert (mine.name, mine.personality.puk_once) == ("mine", True)
    assert (inline.name, inline.personality.key_tries, inline.share) == ("inline", 5, 3)
    assert [(each.name, each.place.pin_tries) for each in population.places] == [("town", 7), ("village", 9)]
    assert population.policy.unblock == "accept"
    [hurried] = population.behaviours
    assert (hurried.name, hurried.slips, hurried.remembers) == ("hurried", 0.9, 0.8)


@pytest.mark.parametrize(
    ("change", "place", "english", "chinese"),
    [
        (("kind: careful", "kind: carefull"), "6:5", "did you mean 'careful'?", "careful"),
        (
            ("kind: careful", "kind: careful\n    slips: 2"),
            "7:5",
            "slips: Input should be less than or equal to 1",
            "7:5: ",
        ),
        (
            ("kind: careful", "kind: careful\n    guesses: 16"),
            "7:5",
            "guesses: Input should be less than or equal to 15",
            "15",
        ),
        (("kind: careful", "kind: careful\n    slip: 0.1"), "7:5", "unknown field 'slip'", "slip"),
        (("kind: careful", "kind: careful\n    share: 0"), "5:1", "every share is 0", "所有份额都是0"),
        (("personality: v3-sm4", "personality: v9"), "2:5", "no preset 'v9'", "没有预设 'v9'"),
        (("personality: v3-sm4", "personality: {based_on: v3-sm4, puk: 1}"), "2:37", "unknown field 'puk'", "puk"),
        (("personality: v3-sm4", "personality: {based_on: v3-sm4, fci_algorithm: no}"), "2:5", "fci_algorithm", "FCI"),
        (("place: tries-6", "place: tries-99"), "4:5", "no preset 'tries-99'", "tries-99"),
        (
            ("place: tries-6", "place: {name: a, pin_tries: 16}"),
            "4:22",
            "pin_tries: Input should be less than or equal to 15",
            "15",
        ),
        (("behaviours:", "arrivals: {window: {24: 1}}\nbehaviours:"), "5:12", "24 is not an hour", "24不是"),
        (("behaviours:", "arrivals: {window: {9: 0}}\nbehaviours:"), "5:12", "the rate of every hour is 0", "0"),
        (("behaviours:", "holders: {city: '51'}\nbehaviours:"), "5:11", "^[0-9]{6}$", "^[0-9]{6}$"),
        (("behaviours:", "policy: henna\nbehaviours:"), "5:1", "did you mean 'henan'?", "henan"),
        (("behaviours:", "timing: contacts\nbehaviours:"), "5:1", "did you mean 'contact'?", "contact"),
        (("places:", "place:"), "3:1", "did you mean 'places'?", "places"),
    ],
)
def test_error_in_a_population_names_line_and_column_in_both_languages(tmp_path, change, place, english, chinese):
    path = written(tmp_path, SMALL.replace(*change))

    with pytest.raises(InputError) as raised:
        read_population(path)

    for language, text in (("en", english), ("zh", chinese)):
        with speaking(language):
            assert text in str(raised.value)
            assert f"{path}:{place}: " in str(raised.value)


def test_a_word_is_a_preset_and_a_path_starts_at_the_folder_of_the_file(tmp_path, monkeypatch):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (inside / "town").write_text("name: town\npin_tries: 7\n", encoding="utf-8")
    (outside / "strict").write_text("based_on: page\n", encoding="utf-8")
    path = written(inside, SMALL.replace("tries-6", "./town"))
    monkeypatch.chdir(outside)

    assert [each.name for each in read_population(path).places] == ["town"]
    with pytest.raises(InputError, match="no preset 'strict'"):
        read_population(written(inside, SMALL + "policy: strict\n"))
    monkeypatch.chdir(inside)
    written(inside, SMALL.replace("tries-6", "./town"))
    assert [each.name for each in read_population(Path("population.yaml")).places] == ["town"]


def test_product_that_terminals_take_for_another_algorithm_is_refused_in_the_city_that_does_so(tmp_path):
    text = SMALL.replace("v3-sm4", "v1-des")
    read_population(written(tmp_path, text))

    with pytest.raises(InputError, match="SSF33"):
        read_population(written(tmp_path, text + "holders: {city: '110100'}\n"))


def test_built_in_population_is_one_of_its_json_schema_and_a_misspelled_one_is_not():
    text = (resources.files("sscard.campaign") / "population.yaml").read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    schema = Draft202012Validator(population_schema())

    assert list(schema.iter_errors(content)) == []
    assert list(schema.iter_errors(content | {"place": content["places"]}))
