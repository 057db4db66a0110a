"""`python -m tests.screens FOLDER`: a picture of every page, over those that lie in the folder."""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

import structlog

from tests.browser import launched
from tests.screens import inner, public
from tests.screens.camera import LOOKS, camera
from tests.screens.furnishing import furnished


def main(folder: Path) -> None:
    """Furnish a site and walk it once for each look."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    for old in folder.glob("*.jpg"):
        old.unlink()
    with tempfile.TemporaryDirectory() as data, furnished(Path(data)) as town, launched() as browser:
        url = town.site.url
        for look in LOOKS:
            if look.endswith("light"):
                with camera(browser, url, folder, look, locale="es-MX") as ours:
                    public.walk_in_spanish(ours, town)
            with camera(browser, url, folder, look) as ours:
                public.walk(ours, town)
            town.site.server.stop()  # … and the next browser is not made to wait for this one's tries
            town.site.server.start()
        with camera(browser, url, folder, "desktop-light") as ours:
            inner.walk(ours, town)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Say where the pictures go: python -m tests.screens docs/screens")
    main(Path(sys.argv[1]))
