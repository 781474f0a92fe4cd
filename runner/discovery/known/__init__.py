"""What the projects of this field look like in a cluster. A module of this folder that registers what it knows is found by itself."""
