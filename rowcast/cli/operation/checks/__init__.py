"""The checks of `rowcast doctor`. Each returns findings, and changes nothing."""
