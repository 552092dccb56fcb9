"""The shadow of a job: how its predictions differ from those of the job's own model."""
