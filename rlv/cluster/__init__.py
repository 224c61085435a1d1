"""A cluster under SLURM: what a site says of itself, what each job asks for, and what is checked before.

site.py: profiles/slurm/site.yaml as a typed record. inventory.py: what SLURM says it has. resources.py: what
sbatch is asked for, one artifact at a time. checks.py: what would be refused, said before submission.
status.py: how the executor learns that a job has ended. retries.py: which failed jobs it submits again.
logs.py: where a job's output lies. Nothing here is loaded unless the workflow runs with a site file; left out
on purpose: other schedulers.
"""
