"""What is checked: one function a check, from a prepared run to a verdict, a figure and the sentence that a person reads."""
