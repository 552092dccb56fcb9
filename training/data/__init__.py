"""Data in the package: `titanic.csv`, the 1,309 passengers of the Titanic, with `survived` as 0 or 1."""
