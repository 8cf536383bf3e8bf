"""What experiments say: settled searches as sums of facts by arm, and differences with intervals read from them."""
