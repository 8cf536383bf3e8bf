"""What is drawn: plain words for technical terms, colours, and charts as inline SVG. One place for console, terminal and reports; imports nothing of ours."""
