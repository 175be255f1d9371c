"""Readers of images and data sets, writers of labels."""
