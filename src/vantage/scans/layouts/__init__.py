"""The layouts of RGB-D folders by name; other packages add theirs through an entry-point group."""

from vantage.core.names import Names
from vantage.scans.layouts.base import Layout

LAYOUTS: Names[Layout] = Names(
    "scan layout",
    {
        "arkitscenes": "vantage.scans.layouts.arkitscenes:LAYOUT",
        "extracted": "vantage.scans.layouts.extracted:LAYOUT",
        "icl_nuim": "vantage.scans.layouts.icl_nuim:LAYOUT",
        "posed_images": "vantage.scans.layouts.posed_images:LAYOUT",
        "redwood": "vantage.scans.layouts.redwood:LAYOUT",
        "replica": "vantage.scans.layouts.replica:LAYOUT",
        "scannet": "vantage.scans.layouts.sens:LAYOUT",
        "seven_scenes": "vantage.scans.layouts.seven_scenes:LAYOUT",
        "tum": "vantage.scans.layouts.tum:LAYOUT",
    },
    group="vantage.scan_layouts",
)
