"""Takes the README's pictures of Turvakaart with Estonia's data: data/pictures/desktop.png and phone.png.

With Pillow installed they are reduced to 256 colours; without it they stay as Chromium made them.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from playwright.sync_api import Browser

import prepare
import problems
import visit

PICTURES = visit.ROOT / "data" / "pictures"
MOST_KB = 250
VIEWS: Mapping[str, tuple[str, visit.Screen]] = {
    "desktop": ("/en/#at=8/58.8/25.2&open=cases/palamuse", visit.Screen(1366, 800)),
    "phone": ("/et/", visit.Screen(390, 844, scale=2, phone=True)),
}


def take(browser: Browser, site: visit.Site, screen: visit.Screen, file: Path) -> None:
    with visit.window(browser, site, screen) as page:
        page.goto(site.address)
        visit.drawn_ms(page)
        page.wait_for_load_state("networkidle")
        page.screenshot(path=file, animations="disabled", caret="hide")


def reduce_colours(file: Path) -> None:
    """Rewrites the picture with a palette of its own, where Pillow is installed."""
    if importlib.util.find_spec("PIL") is None:
        return
    picture = importlib.import_module("PIL.Image").open(file).convert("RGB")
    picture.quantize(colors=256, dither=0).save(file, optimize=True)


def check_size(file: Path) -> None:
    size_kb = file.stat().st_size / 1000
    print(f"{file.relative_to(visit.ROOT)}: {size_kb:.0f} kB")
    if size_kb > MOST_KB:
        text = "{} has {:.0f} kB, and {} is the most. Install Pillow, which reduces its colours."
        raise problems.Problem(text.format(file.name, size_kb, MOST_KB))


def main(arguments: list[str]) -> int:
    argparse.ArgumentParser(description="Takes the README's pictures.").parse_args(arguments)
    PICTURES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as state,
        visit.serving(Path(state)) as running,
        visit.chromium() as browser,
    ):
        for name, (path, screen) in VIEWS.items():
            file = PICTURES / f"{name}.png"
            take(browser, visit.Site(running.address + path), screen, file)
            reduce_colours(file)
            check_size(file)
    return 0


if __name__ == "__main__":
    sys.exit(prepare.ending_well(main))
