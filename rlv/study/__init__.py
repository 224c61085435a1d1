"""The types of a study file, its paths, the configuration, and the page of all keys."""
