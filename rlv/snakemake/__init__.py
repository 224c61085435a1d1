"""What depends on the insides of Snakemake or of its executors; nothing else in rlv does."""
