"""ScanNet's release from the address that its team gave the user: what it holds, and fetching it."""
