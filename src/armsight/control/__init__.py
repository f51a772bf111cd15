"""LIBERO-Object: tasks, simulation, expert, demonstrations, rollouts."""
