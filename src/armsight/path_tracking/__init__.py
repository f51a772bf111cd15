"""Following a path with a simulated arm: the arm alone, and the actions that take it there."""
