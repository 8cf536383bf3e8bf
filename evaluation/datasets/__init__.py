"""A dataset is a folder: `folder` reads and writes one, each other file here imports one public dataset into that form."""
