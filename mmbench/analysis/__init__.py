"""What a run's stored predictions say beyond its table: by group of samples, and by modality."""
