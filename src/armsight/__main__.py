"""`python -m armsight` is the command `armsight`."""

from armsight.cli import main

if __name__ == "__main__":
    main()
