"""What is found: strategies that turn a request into an ordered list of candidates, and fixed fusions of such lists. Tantivy lives here."""
