"""The runs of a folder, served to a browser on this machine: read, never written."""
