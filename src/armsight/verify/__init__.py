"""Do claimed joint angles agree with a picture? Judged by the pose fit; no VLM is asked."""
