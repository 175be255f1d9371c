"""Networks that flatten an image, their files, inference and training."""
