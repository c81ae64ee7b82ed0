"""What runs before a program does. It imports nothing of daxlite, which imports boto3: most programs that are started
under `daxlite run`, such as a shell's helpers, never need either."""
