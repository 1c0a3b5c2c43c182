"""The script that shows a writer how the texts read."""

from scripts import check_texts
from tests import make


def test_it_tells_median_and_what_lies_far_above(tmp_path, capsys):
    folder = make.an_instance(tmp_path / "tiny")
    heavy = "Omavalitsusüksuste korrakaitseametnike koostöökokkuleppe allkirjastamine lükkus edasi."
    _, front, _ = (folder / "cases/first-case.et.md").read_text(encoding="utf-8").split("---\n", 2)
    make.write(folder, "cases/first-case.et.md", f"---\n{front}---\n## Taust\n{heavy}\n")

    assert check_texts.main([str(folder), "--far", "20"]) == 0

    told = capsys.readouterr().out
    assert "cases, et: 2 texts, median LIX" in told
    assert [line.split()[-2:] for line in told.splitlines() if "first-case" in line] == [
        ["first-case", "heavy"]
    ]
    assert "second-case" not in told


def test_it_fails_where_the_loader_would_refuse(tmp_path, capsys):
    folder = make.an_instance(tmp_path / "tiny", sections={"cases": {"why": {"et": "Miks"}}})

    assert check_texts.main([str(folder)]) == 1
    assert "The part “Miks” is missing." in capsys.readouterr().out
