"""Values as bytes: results for storage in Redis, and arguments for keys.

types            one row for each type: how it is stored, read back, made part of a key and compared
codec            stores the results of a function, by its return annotation or self-describing
self_describing  bytes that say themselves what they are
canonical        one encoding for each value, and its digest: what keys are made of
exactness        whether a value came back exactly as it was
fingerprint      a digest of a return annotation
"""
