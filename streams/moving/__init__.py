"""State that goes elsewhere: what of a log a state needs, topics that were made anew or grew, more partitions."""
