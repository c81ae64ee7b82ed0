"""What following the stream of a table costs, and what it brings."""
