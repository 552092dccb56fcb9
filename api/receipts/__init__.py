"""How the gateway makes the receipt of a job."""
