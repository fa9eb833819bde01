"""MEM1 (arXiv 2506.15841), reproduced: agents with constant memory, trained exactly."""

__version__ = "0.1.0"
