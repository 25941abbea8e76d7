"""The files in config/cluster: read by the programs that they are written for, as far as these can run here."""
