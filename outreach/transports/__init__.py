"""Ways out. One small contract (`base.py`), one file each."""
