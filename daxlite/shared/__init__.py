"""What processes share through Redis or Valkey: states, the bus that tells of changes, and the way to the server."""
