from tests.integration.acts import campaign, signed
from tests.integration.inside import organizer, staff
from tests.integration.wave_scenes import scene
from tests.sites import rung, site

__all__ = ["campaign", "organizer", "rung", "scene", "signed", "site", "staff"]
