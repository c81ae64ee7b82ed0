"""The shared tier for real: processes of their own, a Valkey server and a DynamoDB-compatible one."""
