"""Whether what a video shows is something that an arm could do."""
