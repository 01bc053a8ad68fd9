"""The warps of stock image processors, from their settings alone: a module for each kind."""
