"""A disk of a few megabytes, to be filled."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """A file system of its own, such as "4m". Mounting one takes rights that not every machine gives to its tests."""
    with tempfile.TemporaryDirectory(prefix="outreach-disk-", dir="/var/tmp", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o755)
        disk = Path(home) / "disk"
        disk.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
        mounted = subprocess.run(words, capture_output=True, text=True)
        if mounted.returncode != 0:
            if os.environ.get("CI"):
                pytest.fail(f"no small disk: {mounted.stderr}")
            pytest.skip(f"no small disk: {mounted.stderr}")
        try:
            yield disk
        finally:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill_up(disk: Path) -> Path:
    """Take all room there is; the file that takes it."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError:
            return ballast
