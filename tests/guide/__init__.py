"""Pages that are followed as a reader would. A package, so that their service ends with the last of these tests."""
