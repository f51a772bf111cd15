"""`python -m armsight` is the `armsight` command."""

from armsight.cli import main

main()
