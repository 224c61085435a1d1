"""Running a stage: all stages by name, making one artifact, and the GPUs that jobs share."""
