"""The layouts of RGB-D folders by name; other packages add theirs through an entry-point group."""

from vantage.core.names import Names
from vantage.scans.layouts.base import Layout

LAYOUTS: Names[Layout] = Names(
    "scan layout",
    {
        name: f"vantage.scans.layouts.{module}:LAYOUT"
        for name, module in {
            "scannet": "sens",
            "extracted": "extracted",
            "posed_images": "posed_images",
            "tum": "tum",
            "redwood": "redwood",
            "seven_scenes": "seven_scenes",
            "replica": "replica",
            "icl_nuim": "icl_nuim",
            "arkitscenes": "arkitscenes",
        }.items()
    },
    group="vantage.scan_layouts",
)
