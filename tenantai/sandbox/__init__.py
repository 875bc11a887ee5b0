"""Work on hostile bytes in a child process: limited in time and memory, without secrets, replaced when it dies."""
