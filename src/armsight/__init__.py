"""armsight: see an arm, know its state."""

from armsight.state import Estimate

__version__ = "0.1.0"

__all__ = ["Estimate", "__version__"]
