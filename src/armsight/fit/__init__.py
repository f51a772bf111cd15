"""The geometric fit: joints, camera and focal length that explain what a picture shows."""
