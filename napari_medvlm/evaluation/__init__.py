"""What was found beside what is true: references, agreement, and runs over labelled cases."""
