"""DynamoDB's expression language: projections, conditions and updates, and as much of PartiQL as invalidations need.

The parsers accept what DynamoDB is known to accept, and raise NotCacheable for everything else. What the texts of a
request mean is parsed once and kept in a memo (`memo`); values are put in at each call.
"""
