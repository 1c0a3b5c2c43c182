"""Every awkward or damaged file gives the exact table, or the exact sentence."""

from collections import Counter

import pytest

from layers import readers
from layers.readers import Unreadable
from tests.layers.readers.corpus import CASES


def told(table):
    """A table as plain values: (number, cells, shape) of every row."""
    return tuple(
        (number, cells, "" if shape is None else shape.wkt)
        for piece in table.pieces()
        for number, cells, shape in zip(
            piece.numbers,
            piece.cells,
            [None] * len(piece.cells) if piece.shapes is None else piece.shapes,
            strict=True,
        )
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_a_file_gives_its_true_table_or_sentence(case, tmp_path):
    path = tmp_path / case.file
    path.write_bytes(case.make())

    if case.says:
        with pytest.raises(Unreadable) as refused:
            readers.read(path)
        assert str(refused.value) == case.says
        return
    table = readers.read(path)

    assert (table.columns, told(table)) == (case.columns, case.rows)
    assert (table.geometry, table.crs, table.encoding, table.name) == (
        case.geometry,
        case.crs,
        case.encoding,
        case.name,
    )
    assert tuple((note.row, str(note.said)) for note in table.notes) == case.notes
    assert table.rows == len(case.rows)
    assert told(table) == case.rows, "a second walk tells the same"


def test_the_corpus_is_large_and_no_case_is_there_twice():
    assert len(CASES) >= 180
    assert [label for label, times in Counter(case.label for case in CASES).items() if times > 1] == []
    assert sum(bool(case.says) for case in CASES) >= 50


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_what_is_offered_can_be_read(case, tmp_path):
    path = tmp_path / case.file
    path.write_bytes(case.make())

    if case.says:
        with pytest.raises(Unreadable):
            [readers.read(path, name=offer.name) for offer in readers.offers(path)]
        return
    offers = readers.offers(path)

    assert case.name in [offer.name for offer in offers]
    for offer in offers:
        table = readers.read(path, name=offer.name)
        assert table.name == offer.name
        assert table.columns == offer.columns
