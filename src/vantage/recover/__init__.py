"""Which pose sees how much of which object."""
