"""The wheel, installed where no checkout is near, does what the checkout does."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Installed:
    """A fresh environment with our wheel in it. Its dependencies are the tests' own, so that no index is asked."""

    home: Path
    wheel: Path

    def run(self, *words: str, folder: Path) -> str:
        program, *rest = words
        command = [str(self.home / "bin" / program), *rest]
        env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "OUTREACH_DATA_DIR": str(folder / "var")}
        ended = subprocess.run(command, env=env, cwd="/", capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    home = folder / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    python = str(home / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "--python", python, "install"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True)
    (site,) = home.glob("lib/python*/site-packages")
    # A path file found by way of another is not read, so the tests' own editable install stays out of it.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Installed(home, wheel)


def test_it_says_its_version_and_brings_a_database_up_to_date(installed: Installed, tmp_path: Path) -> None:
    assert installed.run("outreach", "--version", folder=tmp_path).strip() == "0.1.0"

    answer = json.loads(installed.run("outreach", "init", "--json", folder=tmp_path))

    assert answer["changed"]
    assert (tmp_path / "var" / "outreach.db").exists()


def test_its_parts_come_from_the_install_and_none_is_missing(installed: Installed, tmp_path: Path) -> None:
    look = """
import json, outreach, workers.app, workers.tasks
from outreach.paths import IN_CHECKOUT, folder
from outreach.settings import Settings
from outreach.web.app import create_app
create_app(Settings.from_env())
print(json.dumps({
    "package": outreach.__file__,
    "checkout": IN_CHECKOUT,
    "templates": str(folder("templates")),
    "examples": len(list(folder("examples").glob("*.txt"))),
    "tasks": sorted(name for name in workers.app.app.tasks if name.startswith("outreach.")),
}))
"""
    seen = json.loads(installed.run("python", "-W", "ignore", "-c", look, folder=tmp_path))

    assert seen["package"].startswith(str(installed.home))
    assert seen["templates"].startswith(str(installed.home))
    assert not seen["checkout"]
    assert seen["examples"] >= 2
    assert {"outreach.send", "outreach.sweep", "outreach.rescue"} <= set(seen["tasks"])


def test_every_file_that_is_kept_is_in_the_wheel(installed: Installed) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: nobody says which files are kept")
    kept = {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
    moved = {"templates/": "outreach/_bundled/templates/", "migrations/": "outreach/_bundled/migrations/"}
    moved |= {"examples/": "outreach/_bundled/examples/", "outreach/": "outreach/", "workers/": "workers/"}
    wanted = {
        there + name[len(here) :]
        for name in kept
        for here, there in moved.items()
        if name.startswith(here) and not name.endswith(".gitignore")
    }
    with zipfile.ZipFile(installed.wheel) as wheel:
        packed = {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert wanted <= packed


def test_no_cache_and_no_test_is_shipped(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        names = wheel.namelist()

    assert not [name for name in names if "__pycache__" in name or name.startswith("tests/") or name.endswith(".pyc")]
    assert [name for name in names if name.endswith("licenses/LICENSE")]


def test_it_asks_for_the_packages_that_pyproject_names(installed: Installed) -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    with zipfile.ZipFile(installed.wheel) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        text = wheel.read(name).decode()

    assert text.count("\nRequires-Dist: ") == len(wanted)
