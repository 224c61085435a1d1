"""A cluster under SLURM: what a site states, what each job asks for, and checks before submission.

site.py: profiles/slurm/site.yaml as a typed record. inventory.py: what SLURM reports that it has.
resources.py: the options of sbatch, one artifact at a time. checks.py: what SLURM would refuse. retries.py:
which failed jobs the executor submits again. logs.py: where a job's output lies. Nothing here is loaded
unless the workflow runs with a site file. Left out on purpose: other schedulers.
"""
