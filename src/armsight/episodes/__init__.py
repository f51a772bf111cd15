"""Work on each episode of a data set: shared among processes or machines, each result kept."""
