"""The commands, a module for each group; what a command works with is imported when it runs."""
