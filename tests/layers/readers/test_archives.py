"""What lies unpacked for a while, and what becomes of it when its process is killed."""

import os
import tempfile
import time

from layers.readers import archives


def test_what_a_killed_process_unpacked_is_cleared_away_after_a_day(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name, age_s in (("turvakaart-aaaaaaaa", 90_000), ("turvakaart-bbbbbbbb", 60)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "left.shp").write_text("half", encoding="utf-8")
        then = time.time() - age_s
        os.utime(tmp_path / name, (then, then))

    place = archives.Place()

    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(["turvakaart-bbbbbbbb", place.path.name])
