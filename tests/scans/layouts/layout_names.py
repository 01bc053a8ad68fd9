"""Names that tests of the layouts share."""

from vantage.scans.layouts import LAYOUTS

LOST = 3
#: Layouts whose colour and depth have one size and one camera.
ONE_CAMERA = ("tum", "redwood", "replica", "icl_nuim", "arkitscenes")
NAMES = tuple(LAYOUTS.names())
