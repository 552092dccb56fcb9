"""How good past predictions were: the calls about actuals."""
