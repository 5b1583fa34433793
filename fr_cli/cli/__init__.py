"""What an operator types and sees: one file a command, no decisions."""
