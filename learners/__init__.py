"""What is learned: which strategies to ask, how deep, and the order of what they found. Needs numpy; river.py is for workers."""
