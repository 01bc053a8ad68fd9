"""Layout and situation modelling on any family: tokens for cameras and for the asker's place, and heads."""
