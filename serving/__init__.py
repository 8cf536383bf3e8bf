"""What is shown: the one search path, from a request over decision, retrieval and ranking to a page and its impression. Knows no HTTP."""
