"""What is said: every message that crosses a process, strict, versioned and bounded. Needs pydantic, imports nothing of ours."""
