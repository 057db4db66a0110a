from tests.sites import rung, site

__all__ = ["rung", "site"]
