"""Text out of files: PDF, DOCX, HTML, Markdown and plain text, read in a child process that may fail without harm."""
