"""Who is owed a report, and whether everybody has it."""
