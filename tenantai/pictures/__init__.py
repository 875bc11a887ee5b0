"""Pictures as strangers send them, made into pictures that a model can look at; read in a sandbox."""
