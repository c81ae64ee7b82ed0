"""The recipes of docs/recipes.md run: each test runs the very text of the page, on servers on loopback."""
