"""Trade files: how they are opened, which columns say what, and how their texts become trades."""
