"""Free memory, and what to do when there is too little."""
