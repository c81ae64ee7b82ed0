"""Settings from outside of the code: a mapping, a TOML file, the environment."""
