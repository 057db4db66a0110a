"""The rules: plain functions on plain values. Standard library only; no I/O and no clock."""
