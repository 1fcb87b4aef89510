"""What is remembered: records, the database, the JSON file."""
