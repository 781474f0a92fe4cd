"""What is said of a night as a whole: its harm, causes, coverage and confidence, from experiments that are judged already."""
