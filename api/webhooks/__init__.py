"""Delivers the ends of jobs to their webhooks: signed POSTs that cannot reach addresses inside the network."""
