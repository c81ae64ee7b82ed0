"""What a Redis or Valkey is like for the shared tier: `daxlite doctor` finds out, judges, and prints.

reach       the client, and the servers behind it
nodes       what each server says of itself
rights      what the user may do there, by doing it
timing      round trips, and how long messages take
contents    what stands there, and who listens
judge       findings from all of these, without asking anything
report      the findings, printed
"""
