"""What runs on somebody else's node or in somebody else's pod. Standard library only, and nothing of ours but this folder."""
