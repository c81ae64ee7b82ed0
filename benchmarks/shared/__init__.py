"""What a tier that processes share costs, and how soon they hear of each other: `python -m benchmarks.shared`."""
