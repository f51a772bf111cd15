"""Training on anybody's recordings: a LeRobot data set that says itself what its actions are."""
