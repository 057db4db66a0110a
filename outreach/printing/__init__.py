"""Papers to keep: PDF files made of a template of ours and values that are only ever printed.

press.py   a paper, made in a process of its own within limits
child.py   that process
"""

from .press import print_pdf

__all__ = ["print_pdf"]
