"""Quality measured on data sets, compared and drawn."""
