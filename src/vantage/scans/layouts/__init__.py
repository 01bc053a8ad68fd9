"""The layouts of RGB-D folders by name; other packages add theirs through an entry-point group."""

from vantage.core.names import Names
from vantage.scans.layouts.base import Layout

LAYOUTS: Names[Layout] = Names(
    "scan layout",
    {
        "scannet": "vantage.scans.layouts.sens:LAYOUT",
        "extracted": "vantage.scans.layouts.extracted:LAYOUT",
    },
    group="vantage.scan_layouts",
)
