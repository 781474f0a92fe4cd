"""A target file written from what was found: each guess with its reason, each gap as a question, what a person decides marked as such."""
