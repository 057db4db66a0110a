from tests.integration.inside import organizer, staff
from tests.sites import rung, site

__all__ = ["organizer", "rung", "site", "staff"]
