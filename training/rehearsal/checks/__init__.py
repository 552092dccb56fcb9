"""Checks of the rehearsal: whether predictions depend on other rows, or on how a file happens to be typed."""
