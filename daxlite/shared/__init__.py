"""What processes share through Redis or Valkey: states, messages of changes, and the way to the server."""
