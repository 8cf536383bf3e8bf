"""Behind the subscribers: compacted topics followed, checked and made into views that swap whole."""
