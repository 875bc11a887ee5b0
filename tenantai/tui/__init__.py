"""The operators' console: a Textual application that speaks HTTP through the client, and nothing else.

What must stay true: nothing here imports the server, storage, rag or providers; text that a tenant typed reaches the screen only
through `shown`; no error closes the console.
"""
