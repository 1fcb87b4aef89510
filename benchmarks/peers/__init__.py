"""What ours is compared with, each run as its own documents say."""
