"""Raw labels in ScanNet's own table, in ours, and in the benchmarks' class sets."""

from pathlib import Path

import pytest

from vantage.core.errors import ParameterError
from vantage.scans.class_sets import CLASS_SETS, SCANNET18, SCANNET20, SCANNET200, class_in
from vantage.scans.labels import NYU40, UNKNOWN, LabelTable, nyu_class, read_label_table, write_label_table

CLASSES = [
    *("bed", "cabinet", "chair", "sofa", "table", "desk", "bookshelf", "dresser", "nightstand", "lamp"),
    *("refrigerator", "tv", "box", "bathtub"),
]


@pytest.fixture(scope="module")
def table(shared_data: Path) -> LabelTable:
    """ScanNet's own."""
    return read_label_table(shared_data / "scannet_meta" / "scannetv2-labels.combined.tsv")


def test_nyu40_against_scannets_own_table(table: LabelTable) -> None:
    by_id = {row.nyu.nyu40_id: row.nyu.nyu40 for row in table.rows.values()}
    assert {k: NYU40[k - 1] for k in by_id} == by_id
    for raw in [*CLASSES, "wall", "floor", "door", "window", "coffee table", "couch", "office chair"]:
        if raw in table.rows:
            assert nyu_class(raw) == nyu_class(raw, table), raw
    assert len(table.rows) == 607 and table.release == "v2"


def test_every_class_and_structure_has_a_nyu40_class() -> None:
    assert [nyu_class(raw).nyu40 for raw in ("nightstand", "refrigerator", "tv")] == [
        "night stand",
        "refridgerator",
        "television",
    ]
    assert all(nyu_class(raw) != UNKNOWN for raw in [*CLASSES, "wall", "floor", "door", "window"])
    assert nyu_class("thingamajig") == UNKNOWN


def test_the_whole_table_is_there(table: LabelTable) -> None:
    row = table.rows["kitchen cabinets"]
    assert (row.label_id, row.columns["category"], row.nyu.nyu40) == (29, "kitchen cabinet", "cabinet")
    assert row.columns["nyu40class"] == "cabinet" and row.columns["mpcat40"]
    assert table.rows["chair"].columns["wnsynsetkey"] == "chair.n.01"
    assert len({row.columns["category"] for row in table.rows.values()}) == 550  # as published


@pytest.mark.parametrize(("classes", "size"), zip(CLASS_SETS, (18, 20, 200), strict=True))
def test_class_sets_agree_with_the_table(table: LabelTable, classes: object, size: int) -> None:
    kind = next(one for one in CLASS_SETS if one is classes)
    assert len(kind.names) == len(set(kind.names.values())) == size
    spelled = {"refrigerator": "refridgerator"}
    for place, (class_id, name) in enumerate(kind.names.items()):
        if kind.ids == "nyu40":
            known = {row.nyu.nyu40 for row in table.rows.values() if row.nyu.nyu40_id == class_id}
            assert known == {spelled.get(name, name)}
        else:
            rows = [row for row in table.rows.values() if row.label_id == class_id]
            assert name in {text.strip() for row in rows for text in (row.label, row.columns["category"])}
        found = kind.find(class_id)
        assert found is not None and (found.index, found.name) == (place, name)


def test_the_20_and_18_classes_are_the_published_ones() -> None:
    assert list(SCANNET20.names) == [*range(1, 13), 14, 16, 24, 28, 33, 34, 36, 39]
    assert list(SCANNET18.names) == [*range(3, 13), 14, 16, 24, 28, 33, 34, 36, 39]


def test_a_raw_label_in_each_set(table: LabelTable) -> None:
    """As ScanNet's own scripts map it: by `nyu40id`, and for the 200 classes by `id` of the raw category."""
    for row in table.rows.values():
        for kind in CLASS_SETS:
            wanted = row.nyu.nyu40_id if kind.ids == "nyu40" else row.label_id
            found = class_in(kind, row.label, table)
            assert (found.class_id if found else None) == (wanted if wanted in kind.names else None)
    names = {kind.name: class_in(kind, "kitchen cabinets", table) for kind in CLASS_SETS}
    assert [found and found.name for found in names.values()] == ["cabinet", "cabinet", "kitchen cabinet"]
    assert class_in(SCANNET18, "wall", table) is None and class_in(SCANNET20, "wall", table) is not None
    assert all(class_in(kind, "thingamajig", table) is None for kind in CLASS_SETS)
    assert [class_in(kind, "nightstand") is None for kind in CLASS_SETS] == [True, True, False]
    assert class_in(SCANNET200, "kitchen cabinets") is None and class_in(SCANNET20, "tv") is None


def test_a_given_table_counts_alone_and_survives_a_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "labels.tsv"
    path.write_text('id\traw_category\tnyu40id\tnyu40class\n1\tbox\t40\totherprop\n2\t"odd" one\t\t\n')
    table = read_label_table(path)
    assert list(table.rows) == ["box", '"odd" one'] and nyu_class("box", table).nyu40_id == 40
    assert nyu_class('"odd" one', table) == UNKNOWN  # listed, without a class
    assert nyu_class("chair", table) == UNKNOWN and nyu_class("chair").nyu40_id == 5
    write_label_table(path, table, ["box", '"odd" one', "chair"])
    again = read_label_table(path)
    assert (again.release, again.columns, dict(again.rows)) == (
        table.release,
        table.columns,
        dict(table.rows),
    )
    write_label_table(path, table, ["chair"])
    assert read_label_table(path).rows == {}


def test_the_table_of_v1_is_told_by_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "scannet-labels.combined.tsv"
    path.write_text(
        "category\tcount\tnyuId\tnyu40id\teigen13id\tnyuClass\tnyu40class\nchair\t9\t5\t5\t4\tchair\tchair\n"
    )
    table = read_label_table(path)
    assert table.release == "v1" and nyu_class("chair", table).nyu40_id == 5
    write_label_table(path, table, ["chair"])
    assert read_label_table(path).release == "v1"


def test_bad_label_tables(tmp_path: Path) -> None:
    path = tmp_path / "labels.tsv"
    with pytest.raises(ParameterError, match="cannot read"):
        read_label_table(path)
    path.write_text("raw,nyu\n")
    with pytest.raises(ParameterError, match=r"raw_category \(v2\) or category \(v1\), nyu40id, nyu40class"):
        read_label_table(path)
    path.write_text("raw_category\tnyu40id\tnyu40class\nbox\t41\tbox\n")
    with pytest.raises(ParameterError, match="line 2"):
        read_label_table(path)
    path.write_bytes("raw_category\tnyu40id\tnyu40class\ncaf\u00e9\t7\ttable\n".encode("latin1"))
    with pytest.raises(ParameterError, match="cannot read"):
        read_label_table(path)
    path.write_text("raw_category\tnyu40id\tnyu40class\nbox\t29\tbox\nbox\t40\totherprop\n")
    with pytest.raises(ParameterError, match=r"line 3[\s\S]*one row for 'box'"):
        read_label_table(path)
    path.write_text("raw_category\tnyu40id\tnyu40class\n" + "x" * 200_000 + "\t1\twall\n")
    with pytest.raises(ParameterError, match="cannot read"):
        read_label_table(path)
