"""What this code costs and gives, beside other methods."""
