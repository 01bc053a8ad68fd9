"""Parameters: defaults, validation with file, line and key, overrides, profiles."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import small_stages
from hypothesis import given
from hypothesis import strategies as st

from vantage.core.errors import ParameterError
from vantage.core.sections import shared
from vantage.pipeline import yaml12
from vantage.pipeline.params import Params, load_params, merge, parse_override, validate
from vantage.pipeline.params_text import field_docs, render, render_defaults
from vantage.pipeline.stages import STAGES, StageBody

REPOSITORY = Path(__file__).resolve().parents[2]
PROFILES = sorted((REPOSITORY / "profiles").glob("*.yaml"))


def read(folder: Path, text: str, *overrides: str) -> Params:
    (folder / "params.yaml").write_text(text)
    return load_params(folder, overrides, small_stages.TABLE)


def test_the_file_is_the_rendered_defaults() -> None:
    text = (REPOSITORY / "params.yaml").read_text()
    assert text == render_defaults(), "`vantage params --defaults > params.yaml`"


def test_the_file_holds_the_defaults_with_every_key() -> None:
    params = load_params(REPOSITORY)
    assert params.sections == {name: body.load_config()() for name, body in STAGES.items()}
    assert yaml12.parse(REPOSITORY / "params.yaml").value == params.plain()


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_profiles_are_valid_overlays(path: Path, tmp_path: Path) -> None:
    base, overlay = yaml12.parse(REPOSITORY / "params.yaml").value, yaml12.parse(path).value
    laid = validate(merge(base, overlay))
    (tmp_path / "params.yaml").write_text(render(laid))
    assert load_params(tmp_path) == laid
    assert yaml12.parse(tmp_path / "params.yaml").value == laid.plain()


def test_missing_keys_take_their_defaults(tmp_path: Path) -> None:
    params = read(tmp_path, "make: {count: 7}\n")
    assert params.section("make") == small_stages.MakeConfig(count=7)
    assert params.section("double") == small_stages.DoubleConfig()
    assert params.seed == 0


def test_a_shared_section_stands_once_and_reaches_every_stage_that_has_it(tmp_path: Path) -> None:
    params = read(tmp_path, "common: {unit: mm}\n")
    assert params.section("double").common == params.section("total").common == small_stages.Common("mm")
    assert params.plain()["common"] == {"unit": "mm"}
    assert all("common" not in params.plain()[stage] for stage in small_stages.TABLE)
    assert read(tmp_path, "{}", "common.unit=mm").section("total").common.unit == "mm"
    text = render_defaults(small_stages.TABLE)
    assert text.count("common:") == 1 and "  # Of every number.\n  unit: m\n" in text


def test_stages_that_mean_different_things_by_a_section_are_refused() -> None:
    table = small_stages.TABLE | {"other": StageBody("small_stages:make", "test_params:Other")}
    with pytest.raises(TypeError, match="section common is Common and Inner"):
        validate({}, table=table)


@dataclass(frozen=True)
class Other:
    common: small_stages.Inner = field(default_factory=small_stages.Inner, metadata=shared("common"))


@pytest.mark.parametrize(
    ("text", "where", "message", "expected"),
    [
        ("make:\n  cuont: 7\n", "params.yaml:2", "make.cuont: unknown; did you mean count?", "count"),
        ("seed: 1\nmkae: {}\n", "params.yaml:2", "mkae: unknown; did you mean make?", "make"),
        ("make:\n  inner:\n    lo: 3\n", "params.yaml:3", "make.inner.lo: unknown; did you mean low?", "low"),
        ("total:\n  arms:\n    a: {pwr: 3}\n", "params.yaml:3", "total.arms.a.pwr: unknown", "power"),
        ("make: {count: -1}\n", "params.yaml:1", "make.count", "greater than or equal to 0"),
        ("make: {count: many}\n", "params.yaml:1", "make.count", "valid integer"),
        ("make: {count: '4'}\n", "params.yaml:1", "make.count", "valid integer"),
        ("make: {mode: odd}\n", "params.yaml:1", "make.mode", "'plain' or 'fancy'"),
        ("common: {unti: mm}\n", "params.yaml:1", "common.unti: unknown; did you mean unit?", "unit"),
        (
            "seed: 1\ntotal:\n  common: {unit: mm}\n",
            "params.yaml:3",
            "total.common: stands",
            "common: at the top",
        ),
        ("make: {inner: 3}\n", "params.yaml:1", "make.inner", "dictionary|object|instance"),
        ("contracts: {max_set_aside_share: 2}\n", "params.yaml:1", "max_set_aside_share", "less than"),
        ("make: {count: 1}\nmake: {count: 2}\n", "params.yaml:2", "a key stands twice", "also on line 1"),
        ("make: [\n", "params.yaml", "not YAML", ""),
        ("- 1\n", "params.yaml", "not a mapping", "list"),
    ],
)
def test_a_wrong_parameter_is_named(
    tmp_path: Path, text: str, where: str, message: str, expected: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        read(tmp_path, text)
    shown = str(caught.value)
    assert caught.value.exit_code == 2
    assert where in shown and message in shown
    assert any(part in shown for part in expected.split("|"))


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="missing") as caught:
        load_params(tmp_path, table=small_stages.TABLE)
    assert "vantage params --defaults" in str(caught.value)


def test_numbers_are_read_as_dvc_reads_them(tmp_path: Path) -> None:
    assert read(tmp_path, "make: {scale: 1e-3}\n").section("make").scale == 0.001


def test_overrides_lie_on_top_and_errors_name_them(tmp_path: Path) -> None:
    params = read(tmp_path, "make: {count: 7, scale: 2.0}\n", "make.count=9", "make.bad=[a, b]")
    assert params.section("make") == small_stages.MakeConfig(count=9, scale=2.0, bad=("a", "b"))
    assert read(tmp_path, "{}", "total.arms.cube={power: 3}").section("total").arms["cube"].power == 3
    with pytest.raises(ParameterError, match="did you mean count") as caught:
        read(tmp_path, "{}", "make.cuont=9")
    assert "-S make.cuont=9" in str(caught.value)
    for wrong in ("make.count", "=3", "make..count=3"):
        with pytest.raises(ParameterError, match="not an override"):
            parse_override(wrong)


def test_documents_of_fields_come_from_every_usual_place() -> None:
    make = field_docs(small_stages.MakeConfig)
    assert make["count"] == "how many scans."
    assert make["scale"] == "factor of every number."
    assert make["inner"] == "what lies within"
    assert field_docs(small_stages.Inner)["low"] == "The least number."
    assert field_docs(small_stages.DoubleConfig)["factor"] == "Factor of the second stage."
    assert field_docs(small_stages.DoubleConfig)["misdeeds"] == "What goes wrong, by scan."


def test_rendered_defaults_read_back_as_the_defaults(tmp_path: Path) -> None:
    params = read(tmp_path, render_defaults(small_stages.TABLE))
    assert params.sections == {name: body.load_config()() for name, body in small_stages.TABLE.items()}


_trees = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
_maps = st.dictionaries(st.sampled_from("abc"), _trees, max_size=3)


@given(_maps, _maps)
def test_merging_keeps_the_overlay_and_what_it_does_not_name(base: object, overlay: object) -> None:
    merged = merge(base, overlay)
    assert isinstance(base, dict) and isinstance(overlay, dict)
    assert set(merged) == set(base) | set(overlay)
    assert all(merged[key] == base[key] for key in set(base) - set(overlay))
    assert merge(merged, overlay) == merged
    assert merge(base, {}) == base


def test_a_null_in_an_overlay_removes_the_key() -> None:
    assert merge({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}) == {"a": {"c": 2}}
