"""What a fake server took, kept in memory and in an append-only file that another process may read meanwhile."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class Ledger:
    """One JSON object a line. A line is whole once `add` returns; with `fsync` it also survives the machine."""

    def __init__(self, path: Path | None = None, *, fsync: bool = False) -> None:
        self.records: list[dict[str, Any]] = []
        self._fsync = fsync
        self._fd = -1
        if path is not None:
            self.records = read_ledger(path) if path.exists() else []
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def add(self, records: list[dict[str, Any]]) -> None:
        if self._fd >= 0:
            os.write(self._fd, "".join([json.dumps(record) + "\n" for record in records]).encode())
            if self._fsync:
                os.fsync(self._fd)
        self.records.extend(records)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """Every record in the file; a last line that is being written is left out."""
    lines = path.read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in lines]
