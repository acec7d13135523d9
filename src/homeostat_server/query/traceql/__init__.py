"""TraceQL: text to a typed tree, the tree to SQL and, where SQL cannot say it, to arrays. It knows no HTTP."""
