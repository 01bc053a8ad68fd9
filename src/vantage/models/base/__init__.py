"""How the pocket base is made: `text`, `align` and `base` stages, each with accuracy floors it must reach."""
