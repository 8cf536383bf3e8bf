"""What people see: plain words for technical terms, numbers, colours, charts as inline SVG; for console, terminal and reports alike."""
